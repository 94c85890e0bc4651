import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import type { TryToken } from '../protocol/trusted-issuers/try-token.ts';
import { parameterExamples } from './examples.ts';
import { printable } from './list.ts';
import { answer, operation, ref } from './operation.ts';
import { notFound } from './problem.ts';
import { answerBody, oneOf, requestBody, text } from './schema-parts.ts';
import type { TrustedIssuerRoutesOptions } from './trusted-issuers.ts';

const tokenBody = requestBody('TokenToTry', { token: text({ minLength: 1, maxLength: 32_768 }) });
const triedAnswer = answerBody('TriedToken', {
  verified: Type.Boolean({ description: 'False: no rule was evaluated, because of `fault`.' }),
  fault: Type.Optional(Type.String()),
  help: Type.Optional(Type.String()),
  rules: Type.Array(
    Type.Object({
      id: Type.String(),
      leads_to: oneOf(['client', 'subject']),
      matches: Type.Boolean(),
      wins: Type.Boolean({ description: 'This rule applies.' }),
      unmet: Type.Array(
        Type.Object({
          claim: Type.String(),
          because: oneOf(['absent', 'another type', 'another value']),
        }),
      ),
      client_id: Type.Optional(Type.String()),
      subject: Type.Optional(Type.String()),
    }),
  ),
  warnings: Type.Array(Type.String()),
});
/** The schemas of a dry run that the OpenAPI document names. */
export const tryTokenSchemas = [tokenBody, triedAnswer];

/** Mounts a dry run of a token, which shows which rule would match and why others do not. */
export function tryTokenRoute(
  app: FastifyInstance,
  { trustedIssuers, tryToken }: TrustedIssuerRoutesOptions & { readonly tryToken: TryToken },
): void {
  const trial = operation({
    operationId: 'tryTokenOfTrustedIssuer',
    summary: 'Try a token of a trusted issuer',
    tag: 'Trusted issuers',
    description: 'Returns which rule would match and why others do not. Nothing is issued.',
    params: Type.Object({
      id: printable('Identifier of the trusted issuer.', parameterExamples.trustedIssuer),
    }),
    body: ref(tokenBody),
    answers: { 200: answer('How the token would be handled.', ref(triedAnswer)) },
    refuses: [404],
  });
  type Route = { Params: { id: string }; Body: Type.Static<typeof tokenBody> };
  app.post<Route>('/admin/trusted-issuers/:id/try', trial, async ({ params: { id }, body }) => {
    if (!(await trustedIssuers.get(id))) notFound('trusted issuer');
    return tryToken(id, body.token);
  });
}
