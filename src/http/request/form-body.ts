import formbody from '@fastify/formbody';
import type { FastifyInstance } from 'fastify';
import { OAuthError } from '../../domain/oauth-error.ts';
import { readForm } from './form.ts';

/** The decoder's replacement for bytes that are not UTF-8; an encoded form is ASCII. */
const replacement = '\ufffd';

/**
 * Accepts only forms as bodies. Bytes that are not UTF-8 are refused, because decoding would change
 * the value. Throws `invalid_request`.
 */
export async function formBodies(app: FastifyInstance, bodyLimit: number): Promise<void> {
  app.removeAllContentTypeParsers();
  const parser = (body: string) => {
    if (body.includes(replacement)) throw new OAuthError('form_encoding_invalid');
    return readForm(body) as unknown as Record<string, unknown>;
  };
  await app.register(formbody, { bodyLimit, parser });
}
