import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import { type AccessTokenSigningAlgorithm, accessTokenSigningAlgorithms } from '../jose/algorithms.ts';
import type { KeyInLife } from '../signing-keys/life-cycle.ts';
import type { SigningKeys } from '../signing-keys/signing-keys.ts';
import { Problem } from './problem.ts';

const rotation = Type.Object(
  {
    alg: Type.Unsafe<AccessTokenSigningAlgorithm>({ type: 'string', enum: [...accessTokenSigningAlgorithms] }),
    immediately: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);

const time = (milliseconds: number | undefined) => (milliseconds === undefined ? undefined : new Date(milliseconds).toISOString());

/** The life of the signing keys: see it, rotate by hand, revoke a compromised one. */
export function signingKeyRoutes(app: FastifyInstance, keys: SigningKeys): void {
  app.get('/admin/signing-keys', async () => ({ items: (await keys.list()).map(shown), next_cursor: null }));
  app.post<{ Body: Type.Static<typeof rotation> }>('/admin/signing-keys/rotate', { schema: { body: rotation } }, async ({ body }) => {
    const successor = await keys.rotate(body.alg, { immediately: body.immediately === true });
    const found = (await keys.list()).find(({ key }) => key.kid === successor?.kid);
    if (found === undefined) throw new Problem(404, 'there is no signing key of this algorithm', 'alg');
    return shown(found);
  });
  app.post<{ Params: { kid: string } }>('/admin/signing-keys/:kid/revoke', async ({ params }, reply) => {
    if (!(await keys.revoke(params.kid))) throw new Problem(404, 'there is no such signing key that is not revoked already');
    return reply.code(204).send();
  });
}

function shown({ key, state, retiredAt, removedAt }: KeyInLife): object {
  return {
    kid: key.kid,
    alg: key.alg,
    state,
    jwk: JSON.parse(key.publicJwk) as object,
    created_at: time(key.createdAt),
    active_at: time(key.activeAt),
    ...(retiredAt !== undefined && { retired_at: time(retiredAt), removed_at: time(removedAt) }),
    ...(key.revokedAt !== undefined && { revoked_at: time(key.revokedAt) }),
  };
}
