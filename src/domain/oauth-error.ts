import type { ProvenKey } from './proven-key.ts';
import { type RefusalReason, refusalReasons } from './refusal-reasons.ts';
import { type OAuthErrorCode, oauthErrorStatus } from './refusals/refusal.ts';

/**
 * A refusal. The reason determines code and description (RFC 6749 §5.2), so nothing from a request
 * can reach the client; details go to `cause` and the log.
 */
export class OAuthError extends Error {
  override readonly name = 'OAuthError';
  readonly reason: RefusalReason;
  readonly code: OAuthErrorCode;
  /** The key that the client proved before the refusal, if any; see `namingKey`. */
  provenKey?: ProvenKey;
  /** The client that was refused, once it has authenticated. */
  clientId?: string;
  constructor(reason: RefusalReason, options?: { readonly cause?: unknown }) {
    const { code, sentence } = refusalReasons[reason];
    super(sentence, options);
    this.reason = reason;
    this.code = code;
  }
  get status(): number {
    return oauthErrorStatus[this.code];
  }
}

/** Returns what was thrown; a refusal that names no key yet gets this one, proven before. */
export function namingKey(thrown: unknown, key: ProvenKey | undefined): unknown {
  if (thrown instanceof OAuthError && key !== undefined) thrown.provenKey ??= key;
  return thrown;
}

/** This client or address exceeded its rate limit; answered by 429 with `Retry-After`. */
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

/** A store did not respond. Thrown by `store/`; answered by 503 with `Retry-After`. */
export class StoreUnavailable extends Error {
  constructor(store: 'database' | 'replay', cause: unknown) {
    super(`${store} is unavailable`, { cause });
    this.name = 'StoreUnavailable';
  }
}

/** This replica lacks the key-encryption key of the current signing key; others can answer. */
export class SigningKeyUnavailable extends Error {
  override readonly name = 'SigningKeyUnavailable';

  constructor(cause: unknown) {
    super('the signing key cannot be opened here', { cause });
  }
}

/** No key signs with this algorithm yet, or its successor is not active yet. */
export class NoSigningKey extends Error {
  override readonly name = 'NoSigningKey';

  constructor(alg: string) {
    super(`there is no key that signs with ${alg}`);
  }
}

/** A stored row is damaged. Thrown by `store/`; answered by 500, and the log names the row. */
export class CorruptRow extends Error {
  constructor(table: string, key: string, at: string, cause?: unknown) {
    super(
      `the row ${key} of ${table} is damaged (${at})`,
      cause === undefined ? undefined : { cause },
    );
    this.name = 'CorruptRow';
  }
}

/** The refusal that a thrown value means: itself, or that of an outage; else undefined. */
export function refusalOf(thrown: unknown): OAuthError | undefined {
  if (thrown instanceof OAuthError) return thrown;
  if (thrown instanceof StoreUnavailable) return new OAuthError('store_unavailable');
  if (thrown instanceof SigningKeyUnavailable) return new OAuthError('signing_key_unavailable');
  if (thrown instanceof NoSigningKey) return new OAuthError('signing_key_missing');
  return undefined;
}
