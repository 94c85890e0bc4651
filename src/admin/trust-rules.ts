import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import type { ClaimCondition, TrustRule } from '../domain/trust-rule.ts';
import type { TrustedIssuer } from '../domain/trusted-issuer.ts';
import { readClaimPath } from '../protocol/trusted-issuers/claim-path.ts';
import { isComparable } from '../protocol/trusted-issuers/match-rule.ts';
import { isSubjectApart, isSubjectTemplate } from '../protocol/trusted-issuers/subject-template.ts';
import { parameterExamples } from './examples.ts';
import { printable } from './list.ts';
import { mountRestResource } from './mount-rest-resource.ts';
import { pattern } from './patterns.ts';
import { notFound, Problem } from './problem.ts';
import { type RestResource, recordedById } from './rest-resource.ts';
import { answerBody, listOf, managedBy, patchOf, requestBody, text } from './schema-parts.ts';
import type { TrustedIssuerRoutesOptions } from './trusted-issuers.ts';

const value = { type: 'string', minLength: 1, maxLength: 1024 };
const claims = Type.Unsafe<Readonly<Record<string, ClaimCondition>>>({
  type: 'object',
  minProperties: 1,
  maxProperties: 20,
  additionalProperties: {
    ...value,
    type: ['string', 'number', 'boolean', 'object'],
    properties: { exact: value, prefix: value },
    additionalProperties: false,
    minProperties: 1,
    maxProperties: 1,
  },
  description:
    'Keyed by JSON Pointer (`/kubernetes.io/namespace`) or quoted path ' +
    '(`"kubernetes.io".namespace`). Each is an exact value, a text ending in `*`, `{ ' +
    '"exact": … }` or `{ "prefix": … }`. All must match.',
  examples: [{ '/kubernetes.io/namespace': 'orders' }],
});

/** Members of a rule. */
export const trustRuleBody = requestBody('TrustRuleBody', {
  name: Type.Optional(text({ maxLength: 200, pattern: pattern('plainText') })),
  priority: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      description: 'The lowest number is tried first, and the first match wins. Absent: 100.',
    }),
  ),
  claims,
  client_id: Type.Optional(text({ pattern: pattern('printable'), maxLength: 255 })),
  subject: Type.Optional(
    text({
      minLength: 1,
      maxLength: 512,
      pattern: pattern('plainText'),
      description: 'Subject of the grant: a template such as `{sub}` or `{/a/b}:{c}`.',
    }),
  ),
  scope: Type.Optional(text({ pattern: pattern('scope'), maxLength: 1000 })),
  resources: Type.Optional(listOf(text({ pattern: pattern('resource'), maxLength: 512 }))),
  access_token_lifetime: Type.Optional(Type.Integer({ minimum: 1, maximum: 604_800 })),
  pin: Type.Optional(Type.Boolean()),
});
export type TrustRuleBody = Type.Static<typeof trustRuleBody>;

const trustRulePatch = patchOf(trustRuleBody);
const trustRuleAnswer = answerBody('TrustRule', {
  ...trustRuleBody.properties,
  id: Type.String(),
  trusted_issuer_id: Type.String(),
  managed_by: managedBy,
});
/** The schemas of rules that the OpenAPI document names. */
export const trustRuleSchemas = [trustRuleBody, trustRulePatch, trustRuleAnswer];

/** The rules of a trusted issuer as a REST resource. */
export function trustRuleResource({
  trustedIssuers,
  clock,
  randomId,
  issuerOf = async (id) => (await trustedIssuers.get(id))?.value,
}: Pick<TrustedIssuerRoutesOptions, 'trustedIssuers' | 'clock' | 'randomId'> & {
  /** Absent: reads the stored issuer. */
  readonly issuerOf?: (id: string) => Promise<TrustedIssuer | undefined>;
}): RestResource<TrustRule, TrustRuleBody> {
  return {
    path: '/admin/trusted-issuers/:trusted_issuer_id/rules',
    below: {
      trusted_issuer_id: printable(
        'Identifier of the trusted issuer.',
        parameterExamples.trustedIssuer,
      ),
    },
    noun: 'TrustRule',
    tag: 'Trusted issuers',
    exampleId: parameterExamples.trustRule,
    about: {
      create: 'Maps tokens with these claims to a client or subject.',
      replace: 'Replaces all members of the rule.',
      delete:
        'Deletes the rule, effective with the next request. Tokens issued by it become inactive.',
    },
    schema: trustRuleBody,
    patch: trustRulePatch,
    answers: { shown: trustRuleAnswer, changed: trustRuleAnswer },
    registry: {
      async of({ trusted_issuer_id = '' }) {
        if (!(await trustedIssuers.get(trusted_issuer_id))) notFound('trusted issuer');
        return trustedIssuers.rulesOf(trusted_issuer_id);
      },
    },
    clock,
    idOf: ({ id }) => id,
    read: async (body, stored, parameters) => ({
      value: {
        ...checkRule(body, await issuerOf(parameters?.['trusted_issuer_id'] ?? '')),
        id: stored?.id ?? randomId(),
        trusted_issuer_id: parameters?.['trusted_issuer_id'] ?? '',
        listed: stored?.listed ?? new Map(),
      },
    }),
    show: ({ value: { listed: _, ...shown } }) => shown,
    toBody: ({ id: _, trusted_issuer_id: __, listed: ___, ...body }) => body,
    recordOf: recordedById('trust_rule', ({ trusted_issuer_id }) => ({
      trusted_issuer: trusted_issuer_id,
    })),
  };
}

/** Mounts the rules below each trusted issuer. */
export function trustRuleRoutes(app: FastifyInstance, options: TrustedIssuerRoutesOptions): void {
  mountRestResource(app, trustRuleResource(options));
}

/** Checks what the schema cannot. Throws Problem. */
function checkRule(
  body: TrustRuleBody,
  issuer: TrustedIssuer | undefined,
): Omit<TrustRule, 'id' | 'trusted_issuer_id' | 'listed'> {
  const { client_id, subject, priority = 100 } = body;
  if (client_id === undefined && subject === undefined)
    throw new Problem(400, 'a rule leads to a client, to a subject, or both', 'client_id');
  if (client_id === undefined && (body.resources ?? []).length === 0)
    throw new Problem(400, 'a rule without a client needs its audiences', 'resources');
  if (issuer !== undefined && !isSubjectApart(issuer, body))
    throw new Problem(
      400,
      'the subject begins with a claim: give the issuer a subject_prefix',
      'subject',
    );
  checkClaims(body.claims);
  if (subject !== undefined && !isSubjectTemplate(subject))
    throw new Problem(400, 'in braces stand JSON Pointers or quoted paths only', 'subject');
  return { ...body, priority } as Omit<TrustRule, 'id' | 'trusted_issuer_id' | 'listed'>;
}

function checkClaims(conditions: TrustRuleBody['claims']): void {
  for (const [claim, condition] of Object.entries(conditions)) {
    if (readClaimPath(claim) === undefined)
      throw new Problem(400, 'this is neither a JSON Pointer nor a quoted path', `claims.${claim}`);
    if (typeof condition === 'number' && !isComparable(condition))
      throw new Problem(
        400,
        'integers beyond 2^53 - 1 cannot be compared; if the issuer sends a string, write it as one',
        `claims.${claim}`,
      );
    if (typeof condition === 'string' && condition.slice(0, -1).includes('*'))
      throw new Problem(
        400,
        'a * stands at the end only; { "exact": … } takes every character as it is',
        `claims.${claim}`,
      );
  }
}
