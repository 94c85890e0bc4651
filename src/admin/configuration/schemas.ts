import Type from 'typebox';
import { type AuthorizationServerBody, authorizationServerBody } from '../authorization-servers.ts';
import { answer, ref } from '../operation.ts';
import { type PairingBody, pairingBody } from '../pairing-schemas.ts';
import { answerBody, oneOf, requestBody, text } from '../schema-parts.ts';
import {
  type ClientBody,
  clientBody,
  newClientId,
  type ResourceServerBody,
  resourceServerBody,
} from '../schemas.ts';
import { type TrustRuleBody, trustRuleBody } from '../trust-rules.ts';
import { type TrustedIssuerBody, trustedIssuerBody } from '../trusted-issuer-schemas.ts';

/** Kinds of declarations, ordered so that each names only earlier ones. */
export const declaredKinds = [
  'resource_server',
  'client',
  'trusted_issuer',
  'trust_rule',
  'authorization_server',
  'pairing',
] as const;
export type DeclaredKind = (typeof declaredKinds)[number];

/** A client in a configuration, where `client_id` is required. */
export type DeclaredClient = ClientBody & { readonly client_id: string };
/** A trusted issuer in a configuration, with its rules. */
export type DeclaredTrustedIssuer = TrustedIssuerBody & {
  readonly rules?: readonly TrustRuleBody[];
};

/** The registrations that should exist. */
export interface Configuration {
  readonly resource_servers?: readonly ResourceServerBody[];
  readonly clients?: readonly DeclaredClient[];
  readonly trusted_issuers?: readonly DeclaredTrustedIssuer[];
  readonly authorization_servers?: readonly AuthorizationServerBody[];
  readonly pairings?: readonly PairingBody[];
}

const declaredClient = requestBody('DeclaredClient', {
  ...clientBody.properties,
  client_id: newClientId,
});
const declaredTrustedIssuer = requestBody('DeclaredTrustedIssuer', {
  ...trustedIssuerBody.properties,
  rules: Type.Optional(
    Type.Array(ref(trustRuleBody), {
      maxItems: 1000,
      description: 'Identified by `name`, or by `claims` without one.',
    }),
  ),
});

/** Members of a configuration. */
export const configurationBody = requestBody('ConfigurationBody', {
  resource_servers: Type.Optional(
    Type.Array(ref(resourceServerBody), { description: 'Identified by `audience`.' }),
  ),
  clients: Type.Optional(
    Type.Array(ref(declaredClient), { description: 'Identified by `client_id`.' }),
  ),
  trusted_issuers: Type.Optional(
    Type.Array(ref(declaredTrustedIssuer), { description: 'Identified by `issuer`.' }),
  ),
  authorization_servers: Type.Optional(
    Type.Array(ref(authorizationServerBody), {
      description: 'Other servers, for which this one issues grants; identified by `issuer`.',
    }),
  ),
  pairings: Type.Optional(
    Type.Array(ref(pairingBody), { description: 'Identified by `requester` and `holder`.' }),
  ),
});

const value = (description: string) => Type.Optional(Type.Unknown({ description }));
const planAnswer = answerBody('ConfigurationPlan', {
  dry_run: Type.Boolean({ description: 'True: nothing was changed.' }),
  changes: Type.Array(
    Type.Object({
      kind: oneOf(declaredKinds),
      name: Type.String({
        description: 'Audience, `client_id`, issuer, issuer and rule, or the two clients.',
      }),
      action: oneOf(['create', 'change', 'replace', 'delete'], {
        description:
          '`replace`, for a pairing: it and the tokens exchanged under it are revoked, ' +
          'and it is created again.',
      }),
      members: Type.Array(
        Type.Object({
          member: Type.String(),
          before: value('Absent: there was no value, or it is a secret.'),
          after: value('Absent: there is no value, or it is a secret.'),
        }),
      ),
    }),
  ),
  unchanged: Type.Integer({ description: 'Number of declared registrations that already match.' }),
});

/** The schemas of configurations that the OpenAPI document names. */
export const configurationSchemas = [
  configurationBody,
  declaredClient,
  declaredTrustedIssuer,
  planAnswer,
];

/** The answer with a plan. */
export const planned = answer('The differences, in the order of the kinds.', ref(planAnswer), {
  etag: true,
});

/** Query parameters for applying a configuration. */
export const applyQuery = Type.Object(
  {
    dry_run: Type.Optional(
      oneOf(['true', 'false'], {
        description: '`true`: returns the differences and changes nothing.',
      }),
    ),
    prune: Type.Optional(
      oneOf(['true', 'false'], {
        description: '`true`: deletes whatever a configuration created and this one lacks.',
      }),
    ),
  },
  { additionalProperties: false },
);

/** A secret in a file: the name of a variable, or of a file. */
const fileSecret = {
  description:
    'An environment variable, or a file (relative paths start from the folder of this file).',
  oneOf: [
    text({ pattern: '^\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}$' }),
    {
      type: 'object',
      properties: { file: { type: 'string', minLength: 1 } },
      required: ['file'],
      additionalProperties: false,
    },
  ],
};

/** The JSON Schema (2020-12) of a configuration file: the API's schemas, except for secrets. */
export function configurationFileSchema(): object {
  const parts = [
    ...configurationSchemas,
    resourceServerBody,
    trustRuleBody,
    pairingBody,
    authorizationServerBody,
  ];
  const [body, ...defined] = parts.map(
    (schema) =>
      JSON.parse(JSON.stringify(schema), (key, member: unknown) => {
        if (key === '$id') return undefined;
        if (key === 'client_secret') return fileSecret;
        return key === '$ref' ? `#/$defs/${String(member).replace(/#$/, '')}` : member;
      }) as { readonly properties?: object },
  );
  const named = defined.map((schema, index) => [nameOf(parts[index + 1]), schema] as const);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Holdfast configuration',
    ...body,
    properties: { $schema: { type: 'string' }, ...body?.properties },
    $defs: Object.fromEntries(named.filter(([name]) => name !== nameOf(planAnswer))),
  };
}

function nameOf(schema: unknown): string {
  return (schema as { readonly $id: string }).$id;
}
