import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import type { AuditEvent } from '../domain/audit-event.ts';
import type { Clock } from '../domain/clock.ts';
import type { IssuedTokens } from '../ports/issued-tokens.ts';
import { parameterExamples } from './examples.ts';
import { printable } from './list.ts';
import { answer, operation } from './operation.ts';
import { Problem } from './problem.ts';

/** What the routes of tokens use. */
export interface TokenRoutesOptions {
  readonly issuedTokens: IssuedTokens;
  readonly clock: Clock;
  /** Seconds: no token lives longer. */
  readonly maxAccessTokenLifetime: number;
}

type Params<Name extends string> = { Params: Record<Name, string> };

const tag = 'Tokens' as const;
const count = Type.Object({ revoked: Type.Integer({ examples: [3] }) });
const counted = { 200: answer('How many tokens were revoked.', count) };

/** Revokes one token, all tokens of a client, or all tokens bound to a key. */
export function tokenRoutes(app: FastifyInstance, options: TokenRoutesOptions): void {
  revokeOneRoute(app, options);
  revokeOfClientRoute(app, options);
  revokeOfKeyRoute(app, options);
}

function revokeOneRoute(
  app: FastifyInstance,
  { issuedTokens, clock, maxAccessTokenLifetime }: TokenRoutesOptions,
): void {
  const revokeOne = operation({
    operationId: 'revokeToken',
    summary: 'Revoke one token',
    tag,
    description: 'Makes the token with this `jti` inactive, and all that came of it by exchange.',
    params: Type.Object({ jti: printable('Of the token.', parameterExamples.jti) }),
    answers: { 204: { description: 'The token is inactive.' } },
    refuses: [404],
  });
  app.delete<Params<'jti'>>('/admin/tokens/:jti', revokeOne, async ({ params }, reply) => {
    const { jti } = params;
    const state = await issuedTokens.state(jti);
    if (state === undefined) throw new Problem(404, 'no token with this jti was issued');
    const { client, jkt, evidence } = state;
    await issuedTokens.revoke(jti, Math.floor(clock() / 1000) + maxAccessTokenLifetime, {
      type: 'token_revoked',
      actor: 'admin',
      jti,
      ...(client !== undefined && { client_id: client.client_id }),
      ...(jkt !== undefined && { jkt }),
      ...(evidence !== undefined && { evidence }),
    });
    return reply.code(204).send();
  });
}

function revokeOfClientRoute(app: FastifyInstance, { issuedTokens }: TokenRoutesOptions): void {
  const ofClient = operation({
    operationId: 'revokeTokensOfClient',
    summary: 'Revoke all tokens of a client',
    tag,
    description: 'Makes every token that was issued to the client inactive.',
    params: Type.Object({ client_id: printable('Of the client.', parameterExamples.client) }),
    answers: counted,
  });
  app.delete<Params<'client_id'>>(
    '/admin/clients/:client_id/tokens',
    ofClient,
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
}

function revokeOfKeyRoute(app: FastifyInstance, { issuedTokens }: TokenRoutesOptions): void {
  const ofKey = operation({
    operationId: 'revokeTokensOfKey',
    summary: 'Revoke all tokens bound to a key',
    tag,
    description: 'Makes every token bound to the key inactive, for example because the key leaked.',
    params: Type.Object({ jkt: printable('RFC 7638 thumbprint.', parameterExamples.jkt) }),
    answers: counted,
  });
  app.delete<Params<'jkt'>>('/admin/keys/:jkt/tokens', ofKey, async ({ params: { jkt } }) => {
    const eventOf = (revoked: number): AuditEvent => ({
      type: 'key_tokens_revoked',
      actor: 'admin',
      jkt,
      detail: { revoked },
    });
    return { revoked: await issuedTokens.revokeAll({ jkt }, eventOf) };
  });
}
