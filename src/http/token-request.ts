import type { FastifyRequest } from 'fastify';
import { OAuthError } from '../oauth-error.ts';
import type { TokenRequest } from '../token-request.ts';
import type { Form } from './form.ts';
import { headerFields } from './header-fields.ts';

/** The request as the endpoints see it. Throws `invalid_request`. */
export function readTokenRequest(request: FastifyRequest): TokenRequest {
  const authorization = headerFields(request.raw, 'authorization');
  if (authorization.length > 1)
    throw new OAuthError('invalid_request', 'the Authorization header field is repeated', { reason: 'authorization_repeated' });
  const form = request.body as Form | undefined | null;
  return {
    parameters: form?.parameters ?? new Map<string, string>(),
    resources: form?.resources ?? [],
    ...(authorization[0] !== undefined && { authorization: authorization[0] }),
    dpop: headerFields(request.raw, 'dpop'),
  };
}
