import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import type { AuditEvent } from '../domain/audit-event.ts';
import type { StoredSecret } from '../domain/client-registration.ts';
import type { Clock } from '../domain/clock.ts';
import type { CredentialUseLog } from '../ports/credential-use-log.ts';
import type { Registry } from '../ports/registry.ts';
import { hashClientSecret } from '../protocol/client-authentication/client-secret.ts';
import { generateClientSecret, storedSecret } from './client-secrets.ts';
import { lastUsed, lastUsesOf } from './credentials.ts';
import { parameterExamples } from './examples.ts';
import { printable } from './list.ts';
import { answer, operation, ref } from './operation.ts';
import { Problem } from './problem.ts';
import { clientSecret } from './schemas.ts';

/** Secrets of one client at a time: the one in use, its successor, and room for what is ending. */
const maxSecrets = 5;

/** Attempts to change a registration that others change at the same time. */
const maxAttempts = 10;

const seconds = Type.Integer({
  minimum: 1,
  maximum: 253_402_300_799,
  description: 'Seconds since the epoch; good until then.',
});
const secretBody = Type.Object(
  { client_secret: Type.Optional(clientSecret), expires_at: Type.Optional(seconds) },
  { $id: 'SecretBody', additionalProperties: false },
);
const secretPatch = Type.Object(
  {
    expires_at: Type.Optional(
      Type.Unsafe<number | null>({
        ...seconds,
        type: ['integer', 'null'],
        description: 'Null: it does not expire.',
      }),
    ),
  },
  { $id: 'SecretPatch', additionalProperties: false },
);
const secretAnswer = Type.Object(
  {
    id: Type.String(),
    created_at: Type.Integer({ description: 'Seconds since the epoch.' }),
    expires_at: Type.Optional(seconds),
  },
  { $id: 'Secret' },
);
const madeSecretAnswer = Type.Object(
  {
    ...secretAnswer.properties,
    client_secret: Type.String({ description: 'In this answer, and never again.' }),
  },
  { $id: 'MadeSecret' },
);
const listedSecret = Type.Object(
  { ...secretAnswer.properties, ...lastUsed },
  { $id: 'ListedSecret' },
);
export const secretSchemas = [
  secretBody,
  secretPatch,
  secretAnswer,
  madeSecretAnswer,
  listedSecret,
];

type What = 'created' | 'changed' | 'deleted';
type Detail = NonNullable<AuditEvent['detail']>;

interface WithSecrets {
  readonly client_id: string;
  readonly clientSecrets: readonly StoredSecret[];
}

/** Whose secrets these routes change. */
export interface SecretRoutesOptions<Value extends WithSecrets> {
  /** `/admin/clients` */
  readonly path: string;
  /** As the document names operations: `createClientSecret`, `listClientSecrets`. */
  readonly noun: 'Client' | 'ResourceServer';
  readonly registry: Registry<Value>;
  readonly credentialUses: CredentialUseLog;
  readonly clock: Clock;
  /** By which the uses of its secrets are noted. */
  readonly identityOf: (value: Value) => string;
  /** Whether it authenticates by secret at all. */
  readonly takesSecrets: (value: Value) => boolean;
  /** What is recorded of a change, in its transaction. */
  readonly eventOf: (what: What, value: Value, detail: Detail) => AuditEvent;
}

type ById = { Params: { id: string } };
type OfSecret = { Params: { id: string; secret_id: string } };

/** Several secrets of one client: a new one beside the old, an end for the old, removal. */
export function secretRoutes<Value extends WithSecrets>(
  app: FastifyInstance,
  options: SecretRoutesOptions<Value>,
): void {
  const { path, noun, registry, credentialUses, clock, identityOf, takesSecrets, eventOf } =
    options;
  const thing = noun === 'Client' ? 'client' : 'resource server';
  const now = () => Math.floor(clock() / 1000);
  const isGood = ({ expires_at = Number.POSITIVE_INFINITY }: StoredSecret) => expires_at > now();
  /** Changes the secrets as they are at the moment of the change, however often others change the registration meanwhile. */
  const change = async (
    id: string,
    what: What,
    detail: Detail,
    secretsAfter: (value: Value) => readonly StoredSecret[],
  ): Promise<Value> => {
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const found = (await registry.get(id)) ?? notFound();
      const value = { ...found.value, clientSecrets: secretsAfter(found.value) };
      const replaced = await registry.replace(value, found, {
        at: clock(),
        event: eventOf(what, value, detail),
      });
      if (typeof replaced !== 'string') return replaced.value;
    }
    throw new Problem(503, 'the registration is being changed by others, try again');
  };
  const checkExpiry = (expiresAt: number | null | undefined) => {
    if (typeof expiresAt === 'number' && expiresAt <= now())
      throw new Problem(400, 'expires_at is past', 'expires_at');
  };

  const params = Type.Object({
    id: printable(
      `Of the ${thing}.`,
      parameterExamples[noun === 'Client' ? 'client' : 'resourceServer'],
    ),
  });
  const made = answer('The secret that was added, in clear this once.', ref(madeSecretAnswer));
  const create = {
    operationId: `create${noun}Secret`,
    summary: `Add a secret to a ${thing}; the others stay good`,
    tag: 'Secrets' as const,
    description: 'Adds a secret, generated unless given. Up to five are good at a time.',
    params,
    body: ref(secretBody),
    answers: { 201: made },
    refuses: [404, 409] as const,
  };
  app.post<ById & { Body: Type.Static<typeof secretBody> }>(
    `${path}/:id/secrets`,
    operation(create),
    async ({ params: { id }, body }, reply) => {
      checkExpiry(body.expires_at);
      const secret = body.client_secret ?? generateClientSecret();
      const added = storedSecret(secret, now(), body.expires_at);
      const detail = {
        secret: added.id,
        ...(added.expires_at !== undefined && { expires_at: added.expires_at }),
      };
      await change(id, 'created', detail, (before) => {
        if (!takesSecrets(before))
          throw new Problem(409, 'a client with this token_endpoint_auth_method has no secret');
        // What has ended makes room.
        const good = before.clientSecrets.filter(isGood);
        if (good.length >= maxSecrets)
          throw new Problem(409, 'there are five secrets already: remove one');
        if (good.some(({ hash }) => hash === hashClientSecret(secret)))
          throw new Problem(409, 'this secret is there already');
        return [...good, added];
      });
      return reply.code(201).send({ ...show(added), client_secret: secret });
    },
  );
  const shown = answer(
    'Oldest first; never the secrets themselves.',
    Type.Object({ items: Type.Array(ref(listedSecret)) }),
  );
  const list = {
    operationId: `list${noun}Secrets`,
    summary: `List the secrets of a ${thing}`,
    tag: 'Secrets' as const,
    description: 'Lists the secrets by identifier, with their times and last use.',
    params,
    answers: { 200: shown },
    refuses: [404] as const,
  };
  app.get<ById>(`${path}/:id/secrets`, operation(list), async ({ params: { id } }) => {
    const { value } = (await registry.get(id)) ?? notFound();
    const { shown: lastUse } = await lastUsesOf(credentialUses, identityOf(value), 'secret');
    return {
      items: value.clientSecrets.map((secret) => ({ ...show(secret), ...lastUse(secret.id) })),
    };
  });
  const one = Type.Object({
    ...params.properties,
    secret_id: printable('Of the secret.', parameterExamples.secret),
  });
  const patch = {
    operationId: `change${noun}Secret`,
    summary: `Set when a secret of a ${thing} ends`,
    tag: 'Secrets' as const,
    description: 'Sets or clears the time after which the secret is refused.',
    consumes: ['application/merge-patch+json', 'application/json'],
    params: one,
    body: ref(secretPatch),
    answers: { 200: answer('The secret as it is now.', ref(secretAnswer)) },
    refuses: [404] as const,
  };
  app.patch<OfSecret & { Body: Type.Static<typeof secretPatch> }>(
    `${path}/:id/secrets/:secret_id`,
    operation(patch),
    async ({ params: { id, secret_id }, body: { expires_at: expiresAt } }) => {
      checkExpiry(expiresAt);
      const ending = ({ expires_at, ...secret }: StoredSecret): StoredSecret => {
        const end = expiresAt === undefined ? expires_at : (expiresAt ?? undefined);
        return { ...secret, ...(end !== undefined && { expires_at: end }) };
      };
      const detail = { secret: secret_id, expires_at: expiresAt };
      const value = await change(id, 'changed', detail, ({ clientSecrets }) => {
        if (!clientSecrets.some((secret) => secret.id === secret_id)) notFound();
        return clientSecrets.map((secret) => (secret.id === secret_id ? ending(secret) : secret));
      });
      return show(value.clientSecrets.find((secret) => secret.id === secret_id) ?? notFound());
    },
  );
  const remove = {
    operationId: `delete${noun}Secret`,
    summary: `Remove a secret of a ${thing}; never the last good one`,
    tag: 'Secrets' as const,
    description: 'Removes a secret. The last good one stays, so that nobody is locked out.',
    params: one,
    answers: {
      204: {
        description: 'The secret is refused: here at once, on other machines within a second.',
      },
    },
    refuses: [404, 409] as const,
  };
  app.delete<OfSecret>(
    `${path}/:id/secrets/:secret_id`,
    operation(remove),
    async ({ params: { id, secret_id } }, reply) => {
      await change(id, 'deleted', { secret: secret_id }, ({ clientSecrets }) => {
        const kept = clientSecrets.filter((secret) => secret.id !== secret_id);
        if (kept.length === clientSecrets.length) notFound();
        if (!kept.some(isGood))
          throw new Problem(409, 'this is the last secret: add another one first');
        return kept;
      });
      return reply.code(204).send();
    },
  );
}

function show({ hash: _, ...shown }: StoredSecret): object {
  return shown;
}

function notFound(): never {
  throw new Problem(404, 'there is no such secret');
}
