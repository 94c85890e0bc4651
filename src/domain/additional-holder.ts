import type { PublicKey } from '../jose/public-key.ts';
import type { ClientRegistration } from './client-registration.ts';
import type { SingleUse } from './single-use.ts';

/** A client beside the requester whose key may confirm the token. */
export interface AdditionalHolder {
  readonly registration: ClientRegistration;
  readonly key: PublicKey;
  /** `x5t#S256` of its registered certificate, if the holder proves its key by mutual TLS. */
  readonly 'x5t#S256'?: string;
  /** By a fresh `cnf-proof+jwt`, or as a registered key that was proven before. */
  readonly provenBy: 'cnf_proof' | 'registration';
  /** The consent of the pairing that allows it; a later pairing has a different one. */
  readonly pairing: string;
  /** The `cnf-proof+jwt`, to be committed with the token. */
  readonly use?: SingleUse;
}
