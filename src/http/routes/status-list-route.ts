import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import type { StatusListToken } from '../../protocol/status-list/status-list-tokens.ts';
import { accepts, prefers } from '../request/accepts.ts';
import { hasCurrent } from '../request/if-none-match.ts';

const type = 'application/statuslist+jwt';

/** The form of our list ids; anything else is refused without a look-up. */
const listId = /^[A-Za-z0-9_-]{22}$/;

/**
 * `GET /status-lists/{id}` (draft-ietf-oauth-status-list §8): cacheable, with an entity tag,
 * compressed if accepted, readable from any origin.
 */
export function statusListRoute(
  app: FastifyInstance,
  path: string,
  published: (id: string) => Promise<StatusListToken | undefined>,
): void {
  // Compressed once for each signed token.
  const compressed = new Map<string, { readonly jwt: string; readonly body: Buffer }>();
  const gzip = (id: string, jwt: string) => {
    const known = compressed.get(id);
    if (known?.jwt === jwt) return known.body;
    if (compressed.size >= 1000) compressed.clear();
    const body = gzipSync(jwt);
    compressed.set(id, { jwt, body });
    return body;
  };
  const config = { crossOrigin: 'document' } as const;
  app.get<{ Params: { id: string } }>(path, { config }, async (request, reply) => {
    const {
      params: { id },
      headers,
    } = request;
    void reply.header('access-control-allow-origin', '*').header('vary', 'accept, accept-encoding');
    const list = listId.test(id) ? await published(id) : undefined;
    if (list === undefined)
      return reply
        .code(404)
        .header('cache-control', 'no-store')
        .send({ error: 'invalid_request', error_description: 'there is nothing at this path' });
    if (!accepts(headers.accept, [type, 'application/*', '*/*']))
      return reply.code(406).header('cache-control', 'no-store').send({
        error: 'invalid_request',
        error_description: 'this is a status list as application/statuslist+jwt',
      });
    const { jwt, maxAge } = list;
    // A missing or empty field means no coding.
    const codings = headers['accept-encoding']?.toString();
    const zipped = prefers(codings, ['gzip', '*'], ['identity', '*']);
    const tag = createHash('sha256').update(jwt).digest('base64url').slice(0, 22);
    const etag = `"${tag}${zipped ? '-gzip' : ''}"`;
    void reply.header('cache-control', `public, max-age=${maxAge}`).header('etag', etag);
    if (hasCurrent(headers['if-none-match'], etag)) return reply.code(304).send();
    if (zipped) void reply.header('content-encoding', 'gzip');
    return reply.header('content-type', type).send(zipped ? gzip(id, jwt) : Buffer.from(jwt));
  });
}
