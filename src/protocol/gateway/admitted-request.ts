import type { AccessTokenClaims } from '../../domain/access-token-claims.ts';
import type { ResourceServer } from '../../domain/resource-server.ts';

/** A request at a gateway whose token and proof are valid. */
export interface AdmittedRequest {
  /** As the client sent it to the gateway. */
  readonly method: string;
  /** Absolute, with its query. */
  readonly uri: string;
  readonly resourceServer: ResourceServer;
  readonly claims: AccessTokenClaims;
  /** `client_id` of the holder whose key was proven. */
  readonly presenter: string;
  /** RFC 7638 thumbprint of that key, or the SHA-256 thumbprint of its certificate. */
  readonly thumbprint: string;
  /** A nonce for the client's next proof, if the one used expires soon. */
  readonly freshNonce?: string;
}
