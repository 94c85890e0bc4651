import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import { hashClientSecret } from '../protocol/client-authentication/client-secret.ts';
import { generateClientSecret, storedSecret } from './client-secrets.ts';
import { lastUsesOf } from './credentials.ts';
import { answer, operation, ref } from './operation.ts';
import {
  type ById,
  changeSecrets,
  checkNotPast,
  isGoodAt,
  paramsOf,
  type SecretRoutesOptions,
  seconds,
  show,
  tag,
  type WithSecrets,
} from './owned-secrets.ts';
import { notFound, Problem } from './problem.ts';
import { inProse } from './rest-resource.ts';
import { listedSecret, madeSecretAnswer, secretBody } from './secret-schemas.ts';
import { changeRoute, deleteRoute } from './secrets-by-id.ts';

/** Maximum valid secrets of a client: the one in use, its successor, and those about to expire. */
const maxSecrets = 5;

/** Mounts the operations that add, list, expire and remove secrets of an owner. */
export function secretRoutes<Value extends WithSecrets>(
  app: FastifyInstance,
  options: SecretRoutesOptions<Value>,
): void {
  createRoute(app, options);
  listRoute(app, options);
  changeRoute(app, options);
  deleteRoute(app, options);
}

function createRoute<Value extends WithSecrets>(
  app: FastifyInstance,
  options: SecretRoutesOptions<Value>,
): void {
  const { path, noun, clock, takesSecrets } = options;
  const thing = inProse(noun);
  const params = paramsOf(noun);
  const made = answer('The secret that was added, in clear this once.', ref(madeSecretAnswer));
  const create = {
    operationId: `create${noun}Secret`,
    summary: `Add a secret to a ${thing}; the others stay valid`,
    tag,
    description: 'Adds a secret, generated unless given. Up to five can be valid at a time.',
    params,
    body: ref(secretBody),
    answers: { 201: made },
    refuses: [404, 409] as const,
  };
  app.post<ById & { Body: Type.Static<typeof secretBody> }>(
    `${path}/:id/secrets`,
    operation(create),
    async ({ params: { id }, body }, reply) => {
      const now = seconds(clock);
      checkNotPast(body.expires_at, now);
      const secret = body.client_secret ?? generateClientSecret();
      const added = storedSecret(secret, now, body.expires_at);
      const detail = {
        secret: added.id,
        ...(added.expires_at !== undefined && { expires_at: added.expires_at }),
      };
      await changeSecrets(options, id, 'created', detail, (before) => {
        if (!takesSecrets(before))
          throw new Problem(409, 'a client with this token_endpoint_auth_method has no secret');
        // Expired secrets make room.
        const good = before.clientSecrets.filter(isGoodAt(now));
        if (good.length >= maxSecrets)
          throw new Problem(409, 'there are five secrets already: remove one');
        if (good.some(({ hash }) => hash === hashClientSecret(secret)))
          throw new Problem(409, 'this secret is there already');
        return [...good, added];
      });
      return reply.code(201).send({ ...show(added), client_secret: secret });
    },
  );
}

function listRoute<Value extends WithSecrets>(
  app: FastifyInstance,
  options: SecretRoutesOptions<Value>,
): void {
  const { path, noun, registry, credentialUses, identityOf } = options;
  const thing = inProse(noun);
  const params = paramsOf(noun);
  const shown = answer(
    'Oldest first; never the secrets themselves.',
    Type.Object({ items: Type.Array(ref(listedSecret)) }),
  );
  const list = {
    operationId: `list${noun}Secrets`,
    summary: `List the secrets of a ${thing}`,
    tag,
    description: 'Lists the secrets by identifier, with their times and last use.',
    params,
    answers: { 200: shown },
    refuses: [404] as const,
  };
  app.get<ById>(`${path}/:id/secrets`, operation(list), async ({ params: { id } }) => {
    const { value } = (await registry.get(id)) ?? notFound(thing);
    const { shown: lastUse } = await lastUsesOf(credentialUses, identityOf(value), 'secret');
    return {
      items: value.clientSecrets.map((secret) => ({ ...show(secret), ...lastUse(secret.id) })),
    };
  });
}
