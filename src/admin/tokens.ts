import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import { adminAudience } from '../domain/admin-access.ts';
import type { Clock } from '../domain/clock.ts';
import { defined } from '../domain/defined.ts';
import type { IssuedTokens, TokensOf } from '../ports/issued-tokens.ts';
import type { ClientRegistry } from '../ports/registry.ts';
import { parameterExamples } from './examples.ts';
import { checkMayEnd } from './guarded-clients.ts';
import { printable } from './list.ts';
import { answer, type Operation, operation } from './operation.ts';
import { Problem } from './problem.ts';

export interface TokenRoutesOptions {
  readonly clients: Pick<ClientRegistry, 'get'>;
  readonly issuedTokens: IssuedTokens;
  readonly clock: Clock;
  /** Maximum token lifetime in seconds. */
  readonly maxAccessTokenLifetime: number;
}

type Params<Name extends string> = { Params: Record<Name, string> };

const tag = 'Tokens' as const;
const count = Type.Object({ revoked: Type.Integer({ examples: [3] }) });
const answers = { 200: answer('How many tokens were revoked.', count) };

/** Revokes one token, all tokens of a client, or all tokens bound to a key. */
export function tokenRoutes(app: FastifyInstance, options: TokenRoutesOptions): void {
  revokeOneRoute(app, options);
  revokeAllRoute(app, options, 'client_id', '/admin/clients/:client_id/tokens', {
    operationId: 'revokeTokensOfClient',
    summary: 'Revoke all tokens of a client',
    description: 'Makes every token that was issued to the client inactive.',
    params: Type.Object({
      client_id: printable('Identifier of the client.', parameterExamples.client),
    }),
  });
  revokeAllRoute(app, options, 'jkt', '/admin/keys/:jkt/tokens', {
    operationId: 'revokeTokensOfKey',
    summary: 'Revoke all tokens bound to a key',
    description: 'Makes every token bound to the key inactive, for example because the key leaked.',
    params: Type.Object({ jkt: printable('RFC 7638 thumbprint.', parameterExamples.jkt) }),
  });
}

function revokeOneRoute(
  app: FastifyInstance,
  { issuedTokens, clients, clock, maxAccessTokenLifetime }: TokenRoutesOptions,
): void {
  const revokeOne = operation({
    operationId: 'revokeToken',
    summary: 'Revoke one token',
    tag,
    description: 'Makes the token with this `jti` and all tokens derived by exchange inactive.',
    params: Type.Object({ jti: printable('Identifier of the token.', parameterExamples.jti) }),
    answers: { 204: { description: 'The token is inactive.' } },
    refuses: [404],
  });
  app.delete<Params<'jti'>>('/admin/tokens/:jti', revokeOne, async ({ params }, reply) => {
    const { jti } = params;
    const state = await issuedTokens.state(jti);
    if (state === undefined) throw new Problem(404, 'no token with this jti was issued');
    const { client, jkt, evidence } = state;
    if (client !== undefined && state.resourceServer === adminAudience)
      await checkMayEnd(clients, client.client_id);
    await issuedTokens.revoke(jti, Math.floor(clock() / 1000) + maxAccessTokenLifetime, {
      type: 'token_revoked',
      actor: 'admin',
      jti,
      ...defined({ client_id: client?.client_id, jkt, evidence }),
    });
    return reply.code(204).send();
  });
}

/** Mounts a route that revokes all tokens that share this property. */
function revokeAllRoute<Name extends 'client_id' | 'jkt'>(
  app: FastifyInstance,
  { issuedTokens, clients, clock }: TokenRoutesOptions,
  name: Name,
  path: string,
  described: Pick<Operation, 'operationId' | 'summary' | 'description' | 'params'>,
): void {
  app.delete<Params<Name>>(path, operation({ ...described, tag, answers }), async ({ params }) => {
    const value = (params as Record<Name, string>)[name];
    const of = { [name]: value } as Record<Name, string>;
    const type = name === 'jkt' ? 'key_tokens_revoked' : 'client_tokens_revoked';
    const admins =
      name === 'jkt' ? await issuedTokens.adminsOfKey(value, Math.floor(clock() / 1000)) : [value];
    for (const admin of admins) await checkMayEnd(clients, admin);
    return {
      revoked: await issuedTokens.revokeAll(of as TokensOf, (revoked) => {
        return { type, actor: 'admin', ...of, detail: { revoked } };
      }),
    };
  });
}
