import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { OAuthError, refusalOf, TooManyRequests } from '../../domain/oauth-error.ts';
import { refusalReasons } from '../../domain/refusal-reasons.ts';
import { JoseError } from '../../jose/jose-error.ts';

/** Seconds after which a client may retry when a store is unavailable. */
const retryAfter = '1';

/**
 * Turns any error into an RFC 6749 §5.2 error. Only an OAuthError is described to the client; an
 * outage is 503, anything else 500 without a reason.
 * @param freshNonce a nonce to send with `use_dpop_nonce` (RFC 9449 §8)
 */
export function errorHandler(freshNonce: () => string) {
  return (thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    if (thrown instanceof TooManyRequests) return tooMany(thrown, request, reply);
    const error = asOAuthError(thrown);
    const { code: httpCode } = (thrown ?? {}) as Partial<FastifyError>;
    request.logFields = {
      ...request.logFields,
      error: error.code,
      reason: error.reason,
      ...(error.clientId !== undefined && { client_id: error.clientId }),
      ...(error.cause instanceof JoseError && { jose: error.cause.reason }),
      ...(error.reason === 'request_malformed' && httpCode !== undefined && { httpCode }),
    };
    if (error.status >= 500)
      request.log.error({ reqId: request.id, err: thrown, reason: error.reason }, 'request failed');
    void reply.code(error.status).header('cache-control', 'no-store').header('pragma', 'no-cache');
    // The rest of the body is read and dropped, because cutting the connection would lose the
    // answer.
    if (error.reason === 'body_too_large') void reply.removeHeader('connection');
    if (error.code === 'use_dpop_nonce') void reply.header('dpop-nonce', freshNonce());
    if (error.status === 503) void reply.header('retry-after', retryAfter);
    if (error.status === 401 && request.headers.authorization !== undefined)
      void reply.header('www-authenticate', 'Basic realm="holdfast", charset="UTF-8"');
    return reply.send({ error: error.code, error_description: error.message });
  };
}

// RFC 6585 §4; no OAuth error code is registered for it, and this one is the nearest.
function tooMany(
  { by, retryAfter }: TooManyRequests,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const reason = `rate_limit_${by}` as const;
  const { code, sentence } = refusalReasons[reason];
  request.logFields = { ...request.logFields, error: code, reason };
  void reply
    .code(429)
    .header('cache-control', 'no-store')
    .header('retry-after', String(retryAfter));
  return reply.send({ error: code, error_description: sentence });
}

function asOAuthError(thrown: unknown): OAuthError {
  const known = refusalOf(thrown);
  if (known !== undefined) return known;
  const { statusCode } = (thrown ?? {}) as Partial<FastifyError>;
  if (statusCode === 415) return new OAuthError('content_type');
  if (statusCode === 413) return new OAuthError('body_too_large');
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new OAuthError('request_malformed', { cause: thrown });
  return new OAuthError('server_error');
}
