/** Why a remote JWK Set is unavailable; for the log and the metrics, never sent. */
export type RemoteJwksReason =
  | 'uri_not_allowed'
  | 'name_not_resolved'
  | 'address_not_allowed'
  | 'deadline_exceeded'
  | 'connection_failed'
  | 'status_not_200'
  | 'content_type_not_json'
  | 'content_encoding_not_identity'
  | 'body_too_large'
  | 'body_not_json'
  | 'body_not_jwk_set'
  | 'metadata_not_of_issuer'
  | 'file_not_allowed'
  | 'file_not_readable'
  | 'proxy_failed'
  | 'cooling_down'
  | 'too_many_fetches'
  | 'too_many_waiting';

/** Reasons that do not blame the server behind the URI: it was not asked. */
const busyReasons: ReadonlySet<RemoteJwksReason> = new Set([
  'cooling_down',
  'too_many_fetches',
  'too_many_waiting',
]);

/**
 * The JWK Set of a `jwks_uri` is not available. It has no cause, since errors quote what was
 * fetched and a client must not read other hosts through our log (ASVS 5.0 13.2.5). `code` is a
 * constant such as `ECONNREFUSED`.
 */
export class RemoteJwksUnavailable extends Error {
  readonly reason: RemoteJwksReason;
  readonly code: string | undefined;
  constructor(reason: RemoteJwksReason, code?: string) {
    super('the JWK Set could not be fetched');
    this.name = 'RemoteJwksUnavailable';
    this.reason = reason;
    this.code = code;
  }
  /** True: there was no room to ask the server, or it was asked a moment ago; it may work later. */
  get busy(): boolean {
    return busyReasons.has(this.reason);
  }
}

/**
 * The code that Node, OpenSSL or undici gave an error (`ENOTFOUND`, `CERT_HAS_EXPIRED`), or
 * undefined; never free text.
 */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string')
    return undefined;
  return /^[A-Z][A-Z0-9_]{1,63}$/.test(error.code) ? error.code : undefined;
}
