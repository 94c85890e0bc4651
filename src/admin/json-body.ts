import type { FastifyInstance, FastifyRequest } from 'fastify';
import { JoseError } from '../jose/jose-error.ts';
import { parseStrictJson } from '../jose/strict-json.ts';
import { Problem } from './problem.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Accepts only JSON objects without duplicate members; merge patches (RFC 7396) only for PATCH. */
export function jsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    async (_request: FastifyRequest, body: Buffer) => read(body),
  );
  app.addContentTypeParser(
    'application/merge-patch+json',
    { parseAs: 'buffer' },
    async ({ method }: FastifyRequest, body: Buffer) => {
      if (method !== 'PATCH') throw new Problem(415, 'the body must be application/json');
      return read(body);
    },
  );
}

function read(body: Buffer): unknown {
  // Some clients label a POST without a body as JSON.
  if (body.length === 0) return undefined;
  try {
    return parseStrictJson(utf8.decode(body));
  } catch (fault) {
    if (!(fault instanceof JoseError || fault instanceof TypeError)) throw fault;
    if (fault instanceof JoseError && fault.reason === 'json_text_invalid')
      throw new Problem(
        400,
        'a string in the body has a lone surrogate (half of a \\u pair) or a zero character',
        'body',
      );
    throw new Problem(
      400,
      'the body is not a JSON object in UTF-8 without repeated members',
      'body',
    );
  }
}
