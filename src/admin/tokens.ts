import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import type { AuditEvent } from '../domain/audit-event.ts';
import type { Clock } from '../domain/clock.ts';
import type { IssuedTokens } from '../ports/issued-tokens.ts';
import { parameterExamples } from './examples.ts';
import { printable } from './list.ts';
import { answer, operation } from './operation.ts';
import { Problem } from './problem.ts';

export interface TokenRoutesOptions {
  readonly issuedTokens: IssuedTokens;
  readonly clock: Clock;
  /** Seconds: no token lives longer. */
  readonly maxAccessTokenLifetime: number;
}

type Params<Name extends string> = { Params: Record<Name, string> };

/** Revokes one token, all tokens of a client, or all tokens bound to a key. */
export function tokenRoutes(
  app: FastifyInstance,
  { issuedTokens, clock, maxAccessTokenLifetime }: TokenRoutesOptions,
): void {
  const now = () => Math.floor(clock() / 1000);
  const revokeOne = {
    operationId: 'revokeToken',
    summary: 'Revoke one token',
    tag: 'Tokens' as const,
    description: 'Makes the token with this `jti` inactive, and all that came of it by exchange.',
    params: Type.Object({ jti: printable('Of the token.', parameterExamples.jti) }),
  };
  const gone = { 204: { description: 'The token is inactive.' } };
  app.delete<Params<'jti'>>(
    '/admin/tokens/:jti',
    operation({ ...revokeOne, answers: gone, refuses: [404] }),
    async ({ params: { jti } }, reply) => {
      const state = await issuedTokens.state(jti);
      if (state === undefined) throw new Problem(404, 'no token with this jti was issued');
      const { client, jkt, evidence } = state;
      const whose = {
        ...(client !== undefined && { client_id: client.client_id }),
        ...(jkt !== undefined && { jkt }),
        ...(evidence !== undefined && { evidence }),
      };
      await issuedTokens.revoke(jti, now() + maxAccessTokenLifetime, {
        type: 'token_revoked',
        actor: 'admin',
        jti,
        ...whose,
      });
      return reply.code(204).send();
    },
  );
  const counted = {
    200: answer(
      'How many tokens were revoked.',
      Type.Object({ revoked: Type.Integer({ examples: [3] }) }),
    ),
  };
  const ofClient = {
    operationId: 'revokeTokensOfClient',
    summary: 'Revoke all tokens of a client',
    tag: 'Tokens' as const,
    description: 'Makes every token that was issued to the client inactive.',
    params: Type.Object({ client_id: printable('Of the client.', parameterExamples.client) }),
  };
  app.delete<Params<'client_id'>>(
    '/admin/clients/:client_id/tokens',
    operation({ ...ofClient, answers: counted }),
    async ({ params: { client_id } }) => {
      const eventOf = (revoked: number): AuditEvent => ({
        type: 'client_tokens_revoked',
        actor: 'admin',
        client_id,
        detail: { revoked },
      });
      return { revoked: await issuedTokens.revokeAll({ client_id }, eventOf) };
    },
  );
  const ofKey = {
    operationId: 'revokeTokensOfKey',
    summary: 'Revoke all tokens bound to a key',
    tag: 'Tokens' as const,
    description: 'Makes every token bound to the key inactive, for example because the key leaked.',
    params: Type.Object({ jkt: printable('RFC 7638 thumbprint.', parameterExamples.jkt) }),
  };
  app.delete<Params<'jkt'>>(
    '/admin/keys/:jkt/tokens',
    operation({ ...ofKey, answers: counted }),
    async ({ params: { jkt } }) => {
      const eventOf = (revoked: number): AuditEvent => ({
        type: 'key_tokens_revoked',
        actor: 'admin',
        jkt,
        detail: { revoked },
      });
      return { revoked: await issuedTokens.revokeAll({ jkt }, eventOf) };
    },
  );
}
