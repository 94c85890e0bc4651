import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import type { DpopNonceSecrets, NonceSecretWithState } from '../keys/dpop-nonce-secrets.ts';
import { listAnswer } from './list.ts';
import { operation, ref } from './operation.ts';
import { answerBody, oneOf } from './schema-parts.ts';

const instant = Type.String({ format: 'date-time' });
const nonceSecretAnswer = answerBody('DpopNonceSecret', {
  state: oneOf(['announced', 'active', 'retired']),
  active_at: instant,
  retired_at: Type.Optional(instant),
});
export const dpopNonceSecretSchemas = [nonceSecretAnswer];

/** Lists the states of the DPoP nonce secrets, and replaces all of them in an emergency. */
export function dpopNonceSecretRoutes(
  app: FastifyInstance,
  secrets: Pick<DpopNonceSecrets, 'list' | 'replace'>,
): void {
  const answers = { 200: listAnswer(ref(nonceSecretAnswer)) };
  const items = async () => ({ items: (await secrets.list()).map(shown), next_cursor: null });
  const list = {
    operationId: 'listDpopNonceSecrets',
    summary: 'List the DPoP nonce secrets with their states, oldest first',
    tag: 'Keys and secrets' as const,
    description: 'Returns the state of each secret, never the secret itself.',
  };
  app.get('/admin/dpop-nonce-secrets', operation({ ...list, answers }), items);
  const rotate = {
    operationId: 'rotateDpopNonceSecrets',
    summary: 'Replace every DPoP nonce secret, which invalidates all nonces',
    tag: 'Keys and secrets' as const,
    description: 'Replaces all secrets with a new one, for example because one leaked.',
  };
  app.post('/admin/dpop-nonce-secrets/rotate', operation({ ...rotate, answers }), async () => {
    await secrets.replace();
    return items();
  });
}

function shown({ state, activeAt, retiredAt }: NonceSecretWithState): object {
  const time = (milliseconds: number) => new Date(milliseconds).toISOString();
  return {
    state,
    active_at: time(activeAt),
    ...(retiredAt !== undefined && { retired_at: time(retiredAt) }),
  };
}
