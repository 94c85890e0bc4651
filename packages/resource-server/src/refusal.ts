import type { SigningAlgorithm } from '../../../src/jose/algorithms.ts';
import type { Reason } from './reasons.ts';

/** Error codes (RFC 6750 §3.1, RFC 9449 §7.1, §9) with HTTP status; challenges omit the last. */
export const refusalStatus = {
  invalid_request: 400,
  invalid_token: 401,
  invalid_dpop_proof: 401,
  use_dpop_nonce: 401,
  insufficient_scope: 403,
  temporarily_unavailable: 503,
} as const;
export type RefusalCode = keyof typeof refusalStatus;

/**
 * Authentication schemes: `DPoP` with a proof (RFC 9449 §7.1), `Bearer` with a certificate
 * (RFC 8705 §3), `PoP` with a MAC by a symmetric key (docs/protocol.md).
 */
export type Scheme = 'DPoP' | 'Bearer' | 'PoP';

/** An authentication scheme that a challenge offers. */
export interface Offer {
  readonly scheme: Scheme;
  /** Algorithms of proofs; not for `Bearer`. */
  readonly algs?: readonly (SigningAlgorithm | 'HS256')[];
}

/** A refusal, without the challenges that the resource server offers. */
export interface Refusal {
  /** Absent if no token was presented (RFC 6750 §3.1). */
  readonly error?: RefusalCode;
  /** A constant sentence. */
  readonly description?: string;
  /** Machine-readable reason for the log; never sent. */
  readonly reason: Reason;
  /** Schemes whose challenge names the error. Default: all. */
  readonly of?: readonly Scheme[];
  readonly scope?: string;
  /** A nonce for the next proof (RFC 9449 §9). */
  readonly dpopNonce?: string;
  readonly cause?: unknown;
}

/** The refusal of a request. Send `status`, `headers` and `body`; log `reason` and `cause`. */
export class TokenRefused extends Error {
  readonly status: number;
  readonly error: RefusalCode | undefined;
  /** Machine-readable, for logs and metrics: docs/resource-server.md lists all reasons. */
  readonly reason: string;
  /** A `WWW-Authenticate` value for each accepted scheme (RFC 9110 §11.6.1). */
  readonly challenges: readonly string[];
  /** `WWW-Authenticate`, `DPoP-Nonce`, `Retry-After` and `Cache-Control`, as they apply. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: { readonly error?: RefusalCode; readonly error_description?: string };

  constructor(refusal: Refusal, offers: readonly Offer[], metadataUrl?: string) {
    const { error, description, reason, dpopNonce, cause } = refusal;
    super(
      description ?? 'no access token was presented',
      cause === undefined ? undefined : { cause },
    );
    this.name = 'TokenRefused';
    this.status = error === undefined ? 401 : refusalStatus[error];
    this.error = error;
    this.reason = reason;
    this.challenges =
      error === 'temporarily_unavailable'
        ? []
        : offers.map((offer) => challenge(offer, refusal, metadataUrl));
    this.headers = {
      'cache-control': 'no-store',
      ...(this.challenges.length > 0 && { 'www-authenticate': this.challenges }),
      ...(dpopNonce !== undefined && { 'dpop-nonce': dpopNonce }),
      ...(error === 'temporarily_unavailable' && { 'retry-after': '5' }),
    };
    this.body = {
      ...(error !== undefined && { error }),
      ...(description !== undefined && { error_description: description }),
    };
  }
}

function challenge(
  { scheme, algs }: Offer,
  { error, description, of, scope }: Refusal,
  metadataUrl: string | undefined,
): string {
  const named = error !== undefined && (of?.includes(scheme) ?? true);
  const parameters = {
    ...(named && { error }),
    ...(named && description !== undefined && { error_description: description }),
    ...(scope !== undefined && { scope }),
    ...(algs !== undefined && { algs: algs.join(' ') }),
    ...(metadataUrl !== undefined && { resource_metadata: metadataUrl }),
  };
  // Constants, scope tokens, algorithms and that URL contain no quotation marks or backslashes.
  const listed = Object.entries(parameters).map(([name, value]) => `${name}="${value}"`);
  return listed.length === 0 ? scheme : `${scheme} ${listed.join(', ')}`;
}

/** Thrown by the single checks, which do not know the challenges; becomes a TokenRefused. */
export class Refused extends Error {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(refusal.description ?? refusal.reason);
    this.name = 'Refused';
    this.refusal = refusal;
  }
}

/** A refusal with `invalid_token` (RFC 6750 §3.1). */
export function invalidToken(description: string, reason: Reason, cause?: unknown): Refused {
  return new Refused({
    error: 'invalid_token',
    description,
    reason,
    ...(cause !== undefined && { cause }),
  });
}
