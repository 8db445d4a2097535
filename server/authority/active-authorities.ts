import type { AuthorityRow } from '../store/store.ts'
import {
  type ActiveTokenAuthority,
  activeTokenAuthorityOf,
  type ActiveX509Authority,
  activeX509Of,
  checkValid,
} from './active-authority.ts'
import type { AuthoritiesDeps } from './authority-config.ts'
import type { AuthorityKeys } from './authority-keys.ts'
import type { Journal } from './journal.ts'
import type { AuthorityKind } from './make-authority.ts'
import { isInBundle } from './own-bundle.ts'

/** What signs now, of each kind: derived from the journal and the bundle, never kept beside them. */
export class ActiveAuthorities {
  readonly #journal: Pick<Journal, 'rows' | 'bundle'>
  readonly #keys: Pick<AuthorityKeys, 'of'>
  readonly #deps: Pick<AuthoritiesDeps, 'clock' | 'config'>
  #x509: ActiveX509Authority | undefined
  #jwt: ActiveTokenAuthority | undefined
  #wit: ActiveTokenAuthority | undefined

  constructor(
    journal: Pick<Journal, 'rows' | 'bundle'>,
    keys: Pick<AuthorityKeys, 'of'>,
    deps: Pick<AuthoritiesDeps, 'clock' | 'config'>,
  ) {
    this.#journal = journal
    this.#keys = keys
    this.#deps = deps
  }

  /** Looks again, after the journal, the bundle or the keys have changed. */
  choose(): void {
    const x509 = this.#active('x509')
    const x509Signer = x509 && this.#keys.of(x509)
    if (x509 === undefined || x509Signer === undefined) this.#x509 = undefined
    else if (x509.authorityId !== this.#x509?.authorityId) this.#x509 = activeX509Of(x509, x509Signer)
    this.#jwt = this.#activeToken('jwt')
    this.#wit = this.#activeToken('wit')
  }

  /** @throws {@link SallyportError} `NOT_READY` when there is none, `AUTHORITY_EXPIRED` when it is not valid now */
  x509(): ActiveX509Authority {
    return checkValid(this.#x509, this.#deps.clock.now(), 'X509-SVIDs')
  }

  /** As {@link x509}. */
  jwt(): ActiveTokenAuthority {
    return checkValid(this.#jwt, this.#deps.clock.now(), 'JWT-SVIDs')
  }

  /** As {@link x509}. */
  wit(): ActiveTokenAuthority {
    return checkValid(this.#wit, this.#deps.clock.now(), 'WIT-SVIDs')
  }

  #activeToken(kind: 'jwt' | 'wit'): ActiveTokenAuthority | undefined {
    const row = this.#active(kind)
    const signer = row && this.#keys.of(row)
    return row && signer && activeTokenAuthorityOf(row, signer, this.#deps.config[kind]?.algorithm)
  }

  #active(kind: AuthorityKind): AuthorityRow | undefined {
    const { bundle } = this.#journal
    return this.#journal.rows(kind).find((row) => row.state === 'active' && isInBundle(bundle, row))
  }
}
