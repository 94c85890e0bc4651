import type { PublicKey } from '../jose/public-key.ts';
import type { ClientRegistration } from './client-registration.ts';
import type { SingleUse } from './single-use.ts';

/** A client beside the requester whose key may confirm the token as well (protocol reference D3). */
export interface AdditionalHolder {
  readonly registration: ClientRegistration;
  readonly key: PublicKey;
  /** Thumbprint of the registered certificate, when the holder will prove its key by mutual TLS (RFC 8705 §3.1). */
  readonly 'x5t#S256'?: string;
  /** By a fresh `cnf-proof+jwt`, or as a registered key that was seen proven before. */
  readonly provenBy: 'cnf_proof' | 'registration';
  /** The consent of the pairing that allows it; a later pairing of the same two clients has another. */
  readonly pairing: string;
  /** The `cnf-proof+jwt`, to be committed with the token. */
  readonly use?: SingleUse;
}
