import type { FastifyRequest } from 'fastify';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { OAuthRequest } from '../../domain/oauth-request.ts';
import type { Form } from './form.ts';
import type { ReadCertificate } from './forwarded-client-certificate.ts';
import { headerFields } from './header-fields.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** Where the certificate of a request comes from. */
    clientCertificateOf: ReadCertificate;
  }
}

/** The request as the endpoints see it. Throws `invalid_request`. */
export function readOAuthRequest(request: FastifyRequest): OAuthRequest {
  const clientCertificate = request.server.clientCertificateOf(request.raw);
  const authorization = headerFields(request.raw, 'authorization');
  if (authorization.length > 1) throw new OAuthError('authorization_repeated');
  const form = request.body as Form | undefined | null;
  return {
    parameters: form?.parameters ?? new Map<string, string>(),
    resources: form?.resources ?? [],
    ...(authorization[0] !== undefined && { authorization: authorization[0] }),
    ...(clientCertificate !== undefined && { clientCertificate }),
    dpop: headerFields(request.raw, 'dpop'),
  };
}
