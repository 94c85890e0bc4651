/** Why a holder could not do what was requested. */
export type HolderErrorCode =
  /** The options are contradictory or incomplete. */
  | 'invalid_options'
  /** A browser cannot keep a client secret. */
  | 'secret_in_browser'
  /** The key cannot be created, read or used. */
  | 'key_unavailable'
  /** The file with the platform's token cannot be read. */
  | 'platform_token_unavailable'
  /** The authorization server did not respond, or not in time. */
  | 'server_unreachable'
  /** The metadata of the authorization server (RFC 8414) cannot be used. */
  | 'server_metadata_invalid'
  /**
   * The authorization server refused the token; `error`, `errorDescription` and `status` say why.
   */
  | 'token_refused'
  /** The response of the authorization server does not conform to RFC 6749 §5.1. */
  | 'token_response_invalid'
  /** The token is not bound to this holder's key, so it is not used. */
  | 'token_not_bound'
  /** The token is not for the origin of the URL. */
  | 'origin_not_allowed'
  /** The request already has `Authorization`, `DPoP` or `PoP`. */
  | 'invalid_request'
  /** A redirect that cannot be followed. */
  | 'redirect_refused';

/** Details of an error besides its sentence. None is secret: no token, proof or client secret. */
export interface HolderErrorDetails {
  /** HTTP status of the authorization server. */
  readonly status?: number;
  /** Error code of the authorization server (RFC 6749 §5.2). */
  readonly error?: string;
  readonly errorDescription?: string;
  /** Seconds after which a retry makes sense (RFC 9110 §10.2.3). */
  readonly retryAfter?: number;
}

/**
 * Any refusal or failure of a holder. It never has a `cause`: errors of libraries contain requests
 * and responses, which would put tokens into logs.
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
