import type { ClientCertificate } from '../x509/client-certificate.ts';
import type { AltConfirmation, Binding } from './binding.ts';

/**
 * A request to the token, introspection or revocation endpoint. Empty parameters are left out, and
 * repeated ones refused (RFC 6749 §3.2).
 */
export interface OAuthRequest {
  readonly parameters: ReadonlyMap<string, string>;
  /** The value of `resource`, if any; a second one is refused (docs/protocol.md). */
  readonly resources: readonly string[];
  /** Value of the `Authorization` header field. */
  readonly authorization?: string;
  /** The certificate that the client proved by TLS, to us or to a trusted proxy. */
  readonly clientCertificate?: ClientCertificate;
  /** Every `DPoP` header field in order, empty values included. */
  readonly dpop: readonly string[];
}

/** An access token response (RFC 6749 §5.1). */
export interface TokenResponse {
  readonly access_token: string;
  /** `N_A`: the issued token is not an access token (RFC 8693 §2.2.1). */
  readonly token_type: 'DPoP' | 'Bearer' | 'PoP' | 'N_A';
  /** RFC 8693 §2.2.1; present in the response to a token exchange. */
  readonly issued_token_type?: string;
  /** Seconds. */
  readonly expires_in: number;
  readonly scope?: string;
  /** How the token names its key, or a symmetric key itself (RFC 9201 §3.2). */
  readonly cnf?: Binding['cnf'] | Binding['cnfForClient'];
  /** The additional holders and their keys; clients do not read tokens (RFC 9068 §6). */
  readonly alt_cnf?: readonly AltConfirmation[];
}
