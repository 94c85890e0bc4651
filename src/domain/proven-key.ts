import type { PublicKey } from '../jose/public-key.ts';
import type { SingleUse } from './single-use.ts';

/** How a key was proven in this request. */
export type Evidence = 'dpop_proof' | 'client_assertion' | 'tls_handshake';

/** A key whose possession was proven in this request, and by which evidence. */
export type ProvenKey =
  | {
      readonly key: PublicKey;
      readonly provenBy: Evidence;
      /** Thumbprint of the certificate that the TLS handshake proved (RFC 8705 §3.1). */
      readonly 'x5t#S256'?: string;
    }
  | {
      /** Absent: the key checks refuse the certificate's key; only the certificate can be named. */
      readonly key?: never;
      readonly provenBy: 'tls_handshake';
      readonly 'x5t#S256': string;
    };

/** The recorded name of a proven key: its RFC 7638 thumbprint, else that of the certificate. */
export function recordedThumbprint(proven: ProvenKey): string {
  return proven.key === undefined ? proven['x5t#S256'] : proven.key.jkt;
}

/** A proven key and the single-use identifier of its evidence, to be committed with the token. */
export interface Proof {
  readonly key: PublicKey;
  readonly provenBy: Evidence;
  readonly 'x5t#S256'?: never;
  readonly use: SingleUse;
}
