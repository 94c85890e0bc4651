import type { ProvenKey } from './proven-key.ts';

/** Registered error codes and their HTTP status (RFC 6749 §5.2, RFC 8707 §2, RFC 9449 §5 and §8, RFC 9200 §5.8.3, draft-ietf-ace-workflow-and-params §6). */
export const oauthErrorStatus = {
  invalid_request: 400,
  invalid_client: 401,
  invalid_grant: 400,
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

interface OAuthErrorOptions {
  readonly cause?: unknown;
  /** Machine-readable reason for the log and the metrics; never sent. */
  readonly reason?: string;
}

/** A text that is known when the code is written; `never` for any other, so that nothing from a request can be in it. */
export type Constant<Text extends string> =
  Record<never, never> extends Record<Text, unknown> ? never : Text;

/** A refusal in OAuth's words. The description is a constant sentence, a template literal is no such thing: what varies goes to `cause` and the log. */
export class OAuthError<Description extends string = string> extends Error {
  readonly code: OAuthErrorCode;
  readonly reason: string;
  /** The key that the client proved before the refusal, if any; see `withProvenKey`. */
  provenKey?: ProvenKey;
  constructor(
    code: OAuthErrorCode,
    description: Constant<Description>,
    options: OAuthErrorOptions = {},
  ) {
    super(description, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = 'OAuthError';
    this.code = code;
    this.reason = options.reason ?? code;
  }
  get status(): number {
    return oauthErrorStatus[this.code];
  }
}

/** Runs steps that follow a proof of this key: a refusal that they throw names the key. */
export async function withProvenKey<T>(
  key: ProvenKey | undefined,
  steps: () => Promise<T>,
): Promise<T> {
  try {
    return await steps();
  } catch (fault) {
    if (fault instanceof OAuthError && key !== undefined) fault.provenKey ??= key;
    throw fault;
  }
}

/** More requests than this client or this address may send. Thrown where they are counted; the error handler answers 429 with `Retry-After`. */
export class TooManyRequests extends Error {
  readonly by: 'client' | 'address';
  /** Seconds. */
  readonly retryAfter: number;
  constructor(by: 'client' | 'address', retryAfter: number) {
    super('too many requests');
    this.name = 'TooManyRequests';
    this.by = by;
    this.retryAfter = retryAfter;
  }
}

/** A store did not answer. Thrown by `store/` only; the error handlers answer 503 with `Retry-After`. */
export class StoreUnavailable extends Error {
  constructor(store: 'database' | 'replay', cause: unknown) {
    super(`${store} is unavailable`, { cause });
    this.name = 'StoreUnavailable';
  }
}

/** The key that signs now was sealed by a key-encryption key that this replica has not got: others can answer. */
export class SigningKeyUnavailable extends Error {
  override readonly name = 'SigningKeySealed';

  constructor(cause: unknown) {
    super('the signing key cannot be opened here', { cause });
  }
}

/** The key of an algorithm was revoked this moment, and its successor is on its way; or nobody has asked for the algorithm before. */
export class NoSigningKey extends Error {
  override readonly name = 'NoSigningKey';

  constructor(alg: string) {
    super(`there is no key that signs by ${alg}`);
  }
}

/** A stored row is not what this server writes. Thrown by `store/` only; whoever asked is refused with 500, and the log names the row. */
export class CorruptRow extends Error {
  constructor(table: string, key: string, at: string, cause?: unknown) {
    super(
      `the row ${key} of ${table} is damaged (${at})`,
      cause === undefined ? undefined : { cause },
    );
    this.name = 'StoredValueInvalid';
  }
}
