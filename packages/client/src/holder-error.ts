/** Why a holder could not do what it was asked. */
export type HolderErrorCode =
  /** The options contradict each other, or lack something. */
  | 'invalid_options'
  /** A client secret in a browser is no secret. */
  | 'secret_in_browser'
  /** The key cannot be made, read or used. */
  | 'key_unavailable'
  /** The file with the token of the platform cannot be read. */
  | 'platform_token_unavailable'
  /** The authorization server did not answer in time, or not at all. */
  | 'server_unreachable'
  /** The metadata of the authorization server (RFC 8414) cannot be used. */
  | 'server_metadata_invalid'
  /**
   * The authorization server refused the token; `error`, `errorDescription` and `status` say why.
   */
  | 'token_refused'
  /** The authorization server answered something else than RFC 6749 §5.1 asks for. */
  | 'token_response_invalid'
  /** The token is not bound to this holder's key: it is not used. */
  | 'token_not_bound'
  /** The URL is of an origin that the token is not for. */
  | 'origin_not_allowed'
  /** The request has `Authorization`, `DPoP` or `PoP` of its own. */
  | 'invalid_request'
  /** A redirect that cannot be followed. */
  | 'redirect_refused';

/**
 * What an error may say beside its sentence. Nothing secret: no token, no proof, no client secret.
 */
export interface HolderErrorDetails {
  /** HTTP status of the authorization server. */
  readonly status?: number;
  /** Error code of the authorization server (RFC 6749 §5.2). */
  readonly error?: string;
  readonly errorDescription?: string;
  /** Seconds after which another try makes sense (RFC 9110 §10.2.3). */
  readonly retryAfter?: number;
}

/**
 * Everything that a holder refuses or fails at. It never has a `cause`: errors of libraries carry
 * requests and answers, and tokens would get into logs by them.
 */
export class HolderError extends Error {
  readonly code: HolderErrorCode;
  readonly status: number | undefined;
  readonly error: string | undefined;
  readonly errorDescription: string | undefined;
  readonly retryAfter: number | undefined;

  constructor(code: HolderErrorCode, message: string, details: HolderErrorDetails = {}) {
    super(message);
    this.name = 'HolderError';
    this.code = code;
    this.status = details.status;
    this.error = details.error;
    this.errorDescription = details.errorDescription;
    this.retryAfter = details.retryAfter;
  }
}
