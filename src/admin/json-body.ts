import type { FastifyInstance } from 'fastify';
import { JoseFault } from '../jose/jose-fault.ts';
import { parseStrictJson } from '../jose/strict-json.ts';
import { Problem } from './problem.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The only bodies of the admin API: one JSON object in UTF-8, no member twice, nested no deeper than any registration is. */
export function readJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(['application/json', 'application/merge-patch+json'], { parseAs: 'buffer' }, (_request, body, done) => {
    // Some HTTP clients name a type where they send nothing; a route that needs a body says so itself.
    if (body.length === 0) return done(null);
    try {
      done(null, parseStrictJson(utf8.decode(body as Buffer)));
    } catch (fault) {
      done(
        fault instanceof JoseFault || fault instanceof TypeError
          ? new Problem(400, 'the body is not a JSON object without repeated members', 'body')
          : (fault as Error),
      );
    }
  });
}
