import type { PublicKey } from './jose/public-key.ts';
import type { SingleUse } from './replay-store.ts';

/** How a key was proven in this request. */
export type Evidence = 'dpop_proof' | 'client_assertion' | 'tls_handshake';

/** A key whose possession was proven in this request, and by which evidence. */
export interface ProvenKey {
  readonly key: PublicKey;
  readonly provenBy: Evidence;
  /** Thumbprint of the certificate that the TLS handshake proved (RFC 8705 §3.1). */
  readonly 'x5t#S256'?: string;
}

/** A proven key and the single-use identifier of its evidence, to be committed with the token. */
export interface Proof extends ProvenKey {
  readonly use: SingleUse;
}
