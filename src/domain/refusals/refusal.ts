/**
 * Error codes and their HTTP status (RFC 6749 §5.2, RFC 6750 §3.1, RFC 8707 §2, RFC 9449 §5, §8,
 * RFC 9200 §5.8.3, draft-ietf-ace-workflow-and-params §6).
 */
export const oauthErrorStatus = {
  invalid_request: 400,
  invalid_client: 401,
  invalid_grant: 400,
  invalid_token: 401,
  insufficient_scope: 403,
  access_denied: 403,
  unauthorized_client: 400,
  unsupported_grant_type: 400,
  invalid_scope: 400,
  invalid_target: 400,
  invalid_dpop_proof: 400,
  use_dpop_nonce: 400,
  failed_pop_verification: 400,
  unsupported_pop_key: 400,
  server_error: 500,
  temporarily_unavailable: 503,
} as const;

export type OAuthErrorCode = keyof typeof oauthErrorStatus;

/** One reason: the code and constant sentence for the client, and how to fix the request. */
export interface Refusal {
  readonly code: OAuthErrorCode;
  readonly sentence: string;
  /** For docs/errors.md. */
  readonly help: string;
}

/** Reasons with one code, each with its sentence and help. */
export function refusals<Reason extends string>(
  code: OAuthErrorCode,
  rows: Readonly<Record<Reason, readonly [sentence: string, help: string]>>,
): Readonly<Record<Reason, Refusal>> {
  const entries = Object.entries<readonly [string, string]>(rows);
  return Object.fromEntries(
    entries.map(([reason, [sentence, help]]) => [reason, { code, sentence, help }]),
  ) as Record<Reason, Refusal>;
}
