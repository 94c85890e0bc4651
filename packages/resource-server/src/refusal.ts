import type { SigningAlgorithm } from '../../../src/jose/algorithms.ts';

/** Error codes of a refusal (RFC 6750 §3.1, RFC 9449 §7.1 and §9) and the HTTP status of each; the last is not sent in a challenge. */
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
 * Authentication schemes of access tokens: `DPoP` with a proof (RFC 9449 §7.1), `Bearer` with a certificate (RFC 8705 §3), `PoP` with the MAC of a
 * symmetric key (docs/decisions/0006-proof-of-a-symmetric-key.md).
 */
export type Scheme = 'DPoP' | 'Bearer' | 'PoP';

/** The way to present a token that a challenge offers. */
export interface Offer {
  readonly scheme: Scheme;
  /** Algorithms of proofs; not for `Bearer`. */
  readonly algs?: readonly (SigningAlgorithm | 'HS256')[];
}

/** What a refusal is made of, before it is known which challenges the resource server offers. */
export interface Refusal {
  /** Absent: no token was presented, so there is nothing to say of it (RFC 6750 §3.1). */
  readonly error?: RefusalCode;
  /** A constant sentence. */
  readonly description?: string;
  /** Machine-readable reason for the log; never sent. */
  readonly reason: string;
  /** Schemes whose challenge names the error; default: all that are offered. */
  readonly of?: readonly Scheme[];
  readonly scope?: string;
  /** A nonce for the next proof (RFC 9449 §9). */
  readonly dpopNonce?: string;
  readonly cause?: unknown;
}

/** The request is not served. Send `status`, `headers` and, if you like, `body`; keep `reason` and `cause` for the log. */
export class TokenRefused extends Error {
  readonly status: number;
  readonly error: RefusalCode | undefined;
  /** Machine-readable, for logs and metrics: `key_mismatch`, `proof_replayed`, … */
  readonly reason: string;
  /** One `WWW-Authenticate` field value for each scheme that is accepted (RFC 9110 §11.6.1). */
  readonly challenges: readonly string[];
  /** Response header fields: `WWW-Authenticate`, `DPoP-Nonce`, `Retry-After`, `Cache-Control`, where they apply. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: { readonly error?: RefusalCode; readonly error_description?: string };

  constructor(refusal: Refusal, offers: readonly Offer[]) {
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
      error === 'temporarily_unavailable' ? [] : offers.map((offer) => challenge(offer, refusal));
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

function challenge({ scheme, algs }: Offer, { error, description, of, scope }: Refusal): string {
  const named = error !== undefined && (of?.includes(scheme) ?? true);
  const parameters = {
    ...(named && { error }),
    ...(named && description !== undefined && { error_description: description }),
    ...(scope !== undefined && { scope }),
    ...(algs !== undefined && { algs: algs.join(' ') }),
  };
  // Every value is a constant of ours, a scope token or an algorithm: none has a quotation mark or a backslash.
  const listed = Object.entries(parameters).map(([name, value]) => `${name}="${value}"`);
  return listed.length === 0 ? scheme : `${scheme} ${listed.join(', ')}`;
}

/** Thrown by the steps of the check, which do not know the challenges; becomes a TokenRefused. */
export class Refused extends Error {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(refusal.description ?? refusal.reason);
    this.name = 'Refused';
    this.refusal = refusal;
  }
}

/** The token itself is to blame (RFC 6750 §3.1 `invalid_token`). */
export function invalidToken(description: string, reason: string, cause?: unknown): Refused {
  return new Refused({
    error: 'invalid_token',
    description,
    reason,
    ...(cause !== undefined && { cause }),
  });
}
