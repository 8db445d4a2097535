import type { IncomingMessage, ServerResponse } from 'node:http'
import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { HttpFacts } from '../policy/request.ts'
import { findConnection } from '../tls/peer-of.ts'
import type { Emit } from '../tls/server-guard.ts'
import { http1Facts, http2Facts, valuesOf } from './http-facts.ts'
import { refuseHttp1, refuseHttp2, refuseRaw } from './refuse.ts'

/** What the gate asks of whoever decides. */
export interface Judge {
  /** The server has a new connection. */
  opened(socket: TLSSocket): void
  /**
   * May this request pass? The id of the decision that refuses it, else undefined. A promise only where a forwarded token has
   * to be verified first; it never rejects.
   */
  ask(asking: Asking): Refusal | Promise<Refusal>
}

export interface Asking {
  /** Of the connection that it came by; undefined: nobody knows it. */
  readonly socket: object | undefined
  readonly request: HttpFacts
  /** Every `Authorization` that came with it. */
  readonly authorizations: readonly string[]
  readonly trace: string | undefined
  /** Whether the connection is a stream of this request from here on, if it passes. */
  readonly becomesStream: boolean
}

/** The id of a decision; undefined: it passes. */
type Refusal = string | undefined

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
          return gateTunnel(values[0] as IncomingMessage, values[1] as Duplex, judge, () => emit(event, ...values))
        case 'dropRequest':
          // Node answers it, and nobody has asked whether it may be seen.
          return false
        case 'unknownProtocol':
          // A raw connection in the place of one of HTTP; without a listener Node closes it.
          return false
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
  return settle(judge.ask(askingOf(request, false)), {
    isGone: () => request.destroyed || response.destroyed,
    pass,
    refuse: (id) => refuseHttp1(request, response, id),
  })
}

function gateTunnel(request: IncomingMessage, socket: Duplex, judge: Judge, pass: () => boolean): boolean {
  return settle(judge.ask(askingOf(request, true)), {
    isGone: () => socket.destroyed,
    pass: () => {
      const isHeard = pass()
      // As Node does where it hears of it.
      if (!isHeard) socket.destroy()
      return isHeard
    },
    refuse: (id) => refuseRaw(socket, id),
  })
}

function askingOf(request: IncomingMessage, becomesStream: boolean): Asking {
  const { authorization, traceparent } = request.headers
  return {
    socket: socketOf(request),
    request: http1Facts(request),
    authorizations: authorizationsOf(authorization, request.rawHeaders),
    trace: traceOf(traceparent),
    becomesStream,
  }
}

type StreamArguments = [ServerHttp2Stream, IncomingHttpHeaders, number, readonly string[]]

function gateStreams(session: ServerHttp2Session, judge: Judge, passed: WeakSet<object>): void {
  const emit = (session.emit as Emit).bind(session)
  const gated: Emit = (event, ...values) => {
    if (event !== 'stream') return emit(event, ...values)
    const [stream, headers, , rawHeaders] = values as StreamArguments
    const request = http2Facts(headers, rawHeaders)
    const { authorization, traceparent } = headers as {
      readonly authorization?: string
      readonly traceparent?: unknown
    }
    const trace = traceOf(traceparent)
    const authorizations = authorizationsOf(authorization, rawHeaders)
    return settle(judge.ask({ socket: socketOf(session), request, authorizations, trace, becomesStream: false }), {
      isGone: () => stream.destroyed,
      pass: () => {
        passed.add(stream)
        return emit(event, ...values)
      },
      refuse: (id) => refuseHttp2(stream, request.isGrpc, id),
    })
  }
  Object.assign(session, { emit: gated })
}

interface Ends {
  /** Whoever asked has gone while a token was verified: what is gone is announced to nobody. */
  readonly isGone: () => boolean
  readonly pass: () => boolean
  readonly refuse: (decisionId: string) => void
}

function settle(refusal: Refusal | Promise<Refusal>, { isGone, pass, refuse }: Ends): boolean {
  if (refusal === undefined) return pass()
  if (typeof refusal === 'string') refuse(refusal)
  else {
    void refusal.then((id) => {
      if (isGone()) return
      if (id === undefined) pass()
      else refuse(id)
    })
  }
  return true
}

/** Most requests have none. */
const authorizationsOf = (first: string | undefined, raw: readonly string[]): readonly string[] =>
  first === undefined ? [] : valuesOf(raw, 'authorization')

const socketOf = (bearer: object): object | undefined => findConnection(bearer)?.socket

/** The trace of a `traceparent`: a name, never text of the caller's choice. */
const traceOf = (traceparent: unknown): string | undefined =>
  typeof traceparent === 'string' ? /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(traceparent)?.[1] : undefined
