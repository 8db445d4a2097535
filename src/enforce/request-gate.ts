import type { IncomingMessage, ServerResponse } from 'node:http'
import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { HttpFacts } from '../policy/request.ts'
import { findConnection } from '../tls/peer-of.ts'
import type { Emit } from '../tls/server-guard.ts'
import { http1Facts, http2Facts } from './http-facts.ts'
import { refuseHttp1, refuseHttp2, refuseRaw } from './refuse.ts'

/** What the gate asks of whoever decides. */
export interface Judge {
  /** The server has a new connection. */
  opened(socket: TLSSocket): void
  /**
   * May this request pass? The id of the decision that refuses it, else undefined. A promise only where a forwarded token has
   * to be verified first.
   *
   * @param socket of the connection that it came by; undefined: nobody knows it
   */
  ask(
    socket: object | undefined,
    request: HttpFacts,
    authorization: string | undefined,
    trace: string | undefined,
  ): string | undefined | Promise<string | undefined>
  /** From here on the connection is a stream of the request that was just let through. */
  becomesStream(socket: object, request: HttpFacts): void
}

/**
 * Stands between a server and its listeners, whenever they were added: a request of HTTP/1.1, a stream of HTTP/2, an upgrade or
 * a tunnel reaches them only after the judge has let it pass.
 */
export function requestGate(judge: Judge): (emit: Emit) => Emit {
  const passed = new WeakSet<object>()
  return (emit) =>
    (event, ...values) => {
      switch (event) {
        case 'secureConnection':
          judge.opened(values[0] as TLSSocket)
          break
        case 'session':
          // Streams are announced by their session first: to its own listeners too.
          gateStreams(values[0] as ServerHttp2Session, judge, passed)
          break
        case 'stream':
          if (!passed.has(values[0] as object)) return false
          break
        case 'request':
        case 'checkContinue':
        case 'checkExpectation':
          return gateRequest(values[0] as IncomingMessage, values[1] as ServerResponse, judge, passed, () =>
            emit(event, ...values),
          )
        case 'upgrade':
        case 'connect':
          return gateTunnel(values[0] as IncomingMessage, values[1] as Duplex, event, judge, () =>
            emit(event, ...values),
          )
      }
      return emit(event, ...values)
    }
}

function gateRequest(
  request: IncomingMessage,
  response: ServerResponse,
  judge: Judge,
  passed: WeakSet<object>,
  pass: () => boolean,
): boolean {
  const { stream } = request as { readonly stream?: object }
  // Of HTTP/2: asked when its stream came.
  if (stream !== undefined) return passed.has(stream) && pass()
  const { authorization, traceparent } = request.headers
  const refusal = judge.ask(socketOf(request), http1Facts(request), authorization, traceOf(traceparent))
  return settle(refusal, pass, (id) => refuseHttp1(request, response, id))
}

function gateTunnel(
  request: IncomingMessage,
  socket: Duplex,
  event: 'upgrade' | 'connect',
  judge: Judge,
  pass: () => boolean,
): boolean {
  const facts = http1Facts(request, event === 'upgrade' ? (request.headers.upgrade ?? '') : null)
  const { authorization, traceparent } = request.headers
  const refusal = judge.ask(socketOf(request), facts, authorization, traceOf(traceparent))
  const passOn = (): boolean => {
    judge.becomesStream(request.socket, facts)
    return pass()
  }
  return settle(refusal, passOn, (id) => refuseRaw(socket, id))
}

type StreamArguments = [ServerHttp2Stream, IncomingHttpHeaders, number, readonly string[]]

function gateStreams(session: ServerHttp2Session, judge: Judge, passed: WeakSet<object>): void {
  const emit = (session.emit as Emit).bind(session)
  const gated: Emit = (event, ...values) => {
    if (event !== 'stream') return emit(event, ...values)
    const [stream, headers, , rawHeaders] = values as StreamArguments
    const facts = http2Facts(headers, rawHeaders)
    const { authorization, traceparent } = headers as {
      readonly authorization?: string
      readonly traceparent?: unknown
    }
    const refusal = judge.ask(socketOf(session), facts, authorization, traceOf(traceparent))
    const pass = (): boolean => {
      passed.add(stream)
      return emit(event, ...values)
    }
    return settle(refusal, pass, (id) => refuseHttp2(stream, facts.isGrpc, id))
  }
  Object.assign(session, { emit: gated })
}

function settle(
  refusal: string | undefined | Promise<string | undefined>,
  pass: () => boolean,
  refuse: (decisionId: string) => void,
): boolean {
  if (refusal === undefined) return pass()
  if (typeof refusal === 'string') refuse(refusal)
  else void refusal.then((id) => void (id === undefined ? pass() : refuse(id)))
  return true
}

const socketOf = (bearer: object): object | undefined => findConnection(bearer)?.socket

/** The trace of a `traceparent`: a name, never text of the caller's choice. */
const traceOf = (traceparent: unknown): string | undefined =>
  typeof traceparent === 'string' ? /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(traceparent)?.[1] : undefined
