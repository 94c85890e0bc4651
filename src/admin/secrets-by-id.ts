import type { FastifyInstance } from 'fastify';
import type Type from 'typebox';
import type { StoredSecret } from '../domain/client-registration.ts';
import { answer, operation, ref } from './operation.ts';
import {
  changeSecrets,
  checkNotPast,
  isGoodAt,
  type OfSecret,
  oneSecretOf,
  type SecretRoutesOptions,
  seconds,
  show,
  tag,
  type WithSecrets,
} from './owned-secrets.ts';
import { notFound, Problem } from './problem.ts';
import { inProse } from './rest-resource.ts';
import { secretAnswer, secretPatch } from './secret-schemas.ts';

/** Mounts PATCH, which sets the expiry of a secret. */
export function changeRoute<Value extends WithSecrets>(
  app: FastifyInstance,
  options: SecretRoutesOptions<Value>,
): void {
  const { path, noun, clock } = options;
  const thing = inProse(noun);
  const patch = {
    operationId: `change${noun}Secret`,
    summary: `Set the expiry of a secret of a ${thing}`,
    tag,
    description: 'Sets or clears the time after which the secret is refused.',
    consumes: ['application/merge-patch+json', 'application/json'],
    params: oneSecretOf(noun),
    body: ref(secretPatch),
    answers: { 200: answer('The changed secret.', ref(secretAnswer)) },
    refuses: [404] as const,
  };
  app.patch<OfSecret & { Body: Type.Static<typeof secretPatch> }>(
    `${path}/:id/secrets/:secret_id`,
    operation(patch),
    async ({ params: { id, secret_id }, body: { expires_at: expiresAt } }) => {
      checkNotPast(expiresAt, seconds(clock));
      const ending = ({ expires_at, ...secret }: StoredSecret): StoredSecret => {
        const end = expiresAt === undefined ? expires_at : (expiresAt ?? undefined);
        return { ...secret, ...(end !== undefined && { expires_at: end }) };
      };
      const detail = { secret: secret_id, expires_at: expiresAt };
      const value = await changeSecrets(options, id, 'changed', detail, ({ clientSecrets }) => {
        if (!clientSecrets.some((secret) => secret.id === secret_id)) notFound('secret');
        return clientSecrets.map((secret) => (secret.id === secret_id ? ending(secret) : secret));
      });
      return show(
        value.clientSecrets.find((secret) => secret.id === secret_id) ?? notFound('secret'),
      );
    },
  );
}

/** Mounts DELETE, which removes a secret. */
export function deleteRoute<Value extends WithSecrets>(
  app: FastifyInstance,
  options: SecretRoutesOptions<Value>,
): void {
  const { path, noun, clock } = options;
  const thing = inProse(noun);
  const remove = {
    operationId: `delete${noun}Secret`,
    summary: `Remove a secret of a ${thing}, except the last valid one`,
    tag,
    description: 'Removes a secret. The last valid one cannot be removed, to prevent a lockout.',
    params: oneSecretOf(noun),
    answers: {
      204: {
        description:
          'The secret is refused immediately here, and within a second on other machines.',
      },
    },
    refuses: [404, 409] as const,
  };
  app.delete<OfSecret>(
    `${path}/:id/secrets/:secret_id`,
    operation(remove),
    async ({ params: { id, secret_id } }, reply) => {
      await changeSecrets(options, id, 'deleted', { secret: secret_id }, ({ clientSecrets }) => {
        const kept = clientSecrets.filter((secret) => secret.id !== secret_id);
        if (kept.length === clientSecrets.length) notFound('secret');
        if (!kept.some(isGoodAt(seconds(clock))))
          throw new Problem(409, 'this is the last secret: add another one first');
        return kept;
      });
      return reply.code(204).send();
    },
  );
}
