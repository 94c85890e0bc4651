import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { OAuthError } from '../oauth-error.ts';
import { readForm } from './form.ts';

/** Takes forms as the only bodies. Bytes that are no UTF-8 are refused: decoded, they would be another value. */
export function formBodies(app: FastifyInstance, bodyLimit: number): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'buffer', bodyLimit },
    async (_request: FastifyRequest, body: Buffer) => {
      if (!isUtf8(body))
        throw new OAuthError('invalid_request', 'the form is not UTF-8', {
          reason: 'form_encoding_invalid',
        });
      return readForm(body.toString('utf8'));
    },
  );
}
