import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import { accessTokenSigningAlgorithms } from '../jose/algorithms.ts';
import { type KeyWithState, stateNames } from '../keys/key-states.ts';
import type { SigningKeys } from '../keys/signing-keys.ts';
import { type SigningKeyPurpose, signingKeyPurposes } from '../ports/signing-key-store.ts';
import { parameterExamples } from './examples.ts';
import { listAnswer, printable } from './list.ts';
import { answer, operation, ref } from './operation.ts';
import { Problem } from './problem.ts';
import { answerBody, oneOf, requestBody } from './schema-parts.ts';

const purpose = oneOf(signingKeyPurposes, {
  description: '`issuer`, the default: signs tokens. `gateway`: signs the assertions of gateways.',
});
const rotation = requestBody('Rotation', {
  alg: oneOf(accessTokenSigningAlgorithms),
  purpose: Type.Optional(purpose),
  immediately: Type.Optional(Type.Boolean()),
});
const instant = Type.String({ format: 'date-time' });
const signingKeyAnswer = answerBody('SigningKey', {
  kid: Type.String(),
  alg: oneOf(accessTokenSigningAlgorithms),
  purpose,
  state: oneOf(stateNames),
  jwk: Type.Unsafe<object>({ type: 'object', description: 'The public key (RFC 7517).' }),
  created_at: instant,
  active_at: instant,
  retired_at: Type.Optional(instant),
  removed_at: Type.Optional(instant),
  revoked_at: Type.Optional(instant),
});
export const signingKeySchemas = [rotation, signingKeyAnswer];

const time = (milliseconds: number | undefined) =>
  milliseconds === undefined ? undefined : new Date(milliseconds).toISOString();

/** Lists the signing keys, rotates them by hand, and revokes a compromised one. */
export function signingKeyRoutes(
  app: FastifyInstance,
  keys: Readonly<Record<SigningKeyPurpose, SigningKeys>>,
): void {
  const all = async () => [...(await keys.issuer.list()), ...(await keys.gateway.list())];
  const list = {
    operationId: 'listSigningKeys',
    summary: 'List the signing keys with their states',
    tag: 'Keys and secrets' as const,
    description: 'Returns every signing key with its state, even revoked and removed ones.',
  };
  app.get(
    '/admin/signing-keys',
    operation({ ...list, answers: { 200: listAnswer(ref(signingKeyAnswer)) } }),
    async () => ({
      items: (await all()).map(shown),
      next_cursor: null,
    }),
  );
  const successor = { 200: answer('The key that signs next.', ref(signingKeyAnswer)) };
  const rotate = {
    operationId: 'rotateSigningKey',
    summary: 'Announce a new signing key',
    tag: 'Keys and secrets' as const,
    description:
      'Announces a successor, which signs once caches have had time to fetch it, or immediately.',
    body: ref(rotation),
    answers: successor,
  };
  app.post<{ Body: Type.Static<typeof rotation> }>(
    '/admin/signing-keys/rotate',
    operation({ ...rotate, refuses: [404] }),
    async ({ body }) => {
      const { alg, purpose = 'issuer', immediately = false } = body;
      const successor = await keys[purpose].rotate(alg, { immediately });
      const found = (await all()).find(({ key }) => key.kid === successor?.kid);
      if (found === undefined)
        throw new Problem(404, 'there is no signing key of this algorithm', 'alg');
      return shown(found);
    },
  );
  const revoke = {
    operationId: 'revokeSigningKey',
    summary: 'Revoke a compromised signing key',
    tag: 'Keys and secrets' as const,
    description: 'Removes the key from the JWK Set and makes everything that it signed inactive.',
    params: Type.Object({ kid: printable('The `kid` of the key.', parameterExamples.kid) }),
  };
  const gone = {
    204: {
      description: 'The key is out of the JWK Set, and everything that it signed is inactive.',
    },
  };
  app.post<{ Params: { kid: string } }>(
    '/admin/signing-keys/:kid/revoke',
    operation({ ...revoke, answers: gone, refuses: [404] }),
    async ({ params }, reply) => {
      const { kid } = params;
      if (!(await keys.issuer.revoke(kid)) && !(await keys.gateway.revoke(kid)))
        throw new Problem(404, 'there is no such signing key, or it is revoked already');
      return reply.code(204).send();
    },
  );
}

function shown({ key, state, retiredAt, removedAt }: KeyWithState): object {
  return {
    kid: key.kid,
    alg: key.alg,
    purpose: key.purpose,
    state,
    jwk: JSON.parse(key.publicJwk) as object,
    created_at: time(key.createdAt),
    active_at: time(key.activeAt),
    ...(retiredAt !== undefined && { retired_at: time(retiredAt), removed_at: time(removedAt) }),
    ...(key.revokedAt !== undefined && { revoked_at: time(key.revokedAt) }),
  };
}
