import Type from 'typebox';
import { defined } from '../domain/defined.ts';
import { type NewPairing, type Pairing, pairingModes } from '../domain/pairing.ts';
import { pattern } from './patterns.ts';
import { managedBy as managedByMember } from './schema-parts.ts';

export const clientId = Type.String({ pattern: pattern('printable'), maxLength: 255 });
export const pairingBody = Type.Object(
  {
    requester: clientId,
    holder: clientId,
    mode: Type.Optional(Type.Unsafe<Pairing['mode']>({ type: 'string', enum: pairingModes })),
    first_party: Type.Optional(Type.Boolean()),
    scope: Type.Optional(
      Type.String({
        pattern: pattern('scope'),
        maxLength: 4000,
      }),
    ),
    resources: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 512 }), {
        minItems: 1,
        maxItems: 100,
        uniqueItems: true,
      }),
    ),
  },
  { $id: 'PairingBody', additionalProperties: false },
);
export type PairingBody = Type.Static<typeof pairingBody>;
export const pairingAnswer = Type.Object(
  {
    ...pairingBody.properties,
    id: Type.String(),
    mode: Type.Unsafe<Pairing['mode']>({ type: 'string', enum: pairingModes }),
    first_party: Type.Boolean(),
    revoked: Type.Boolean(),
    created_at: Type.Integer({ description: 'Seconds since the epoch.' }),
    revoked_at: Type.Optional(Type.Integer({ description: 'Seconds since the epoch.' })),
    managed_by: managedByMember,
  },
  { $id: 'Pairing' },
);
export const pairingSchemas = [pairingBody, pairingAnswer];

/** A pairing as an answer shows it. */
export function show({
  id,
  requester,
  holder,
  mode,
  first_party,
  scope,
  resources,
  createdAt,
  revokedAt,
  managedBy,
}: NewPairing): object {
  return {
    id,
    requester,
    holder,
    mode,
    first_party,
    ...defined({ scope, resources }),
    revoked: revokedAt !== undefined,
    created_at: Math.floor(createdAt / 1000),
    ...(revokedAt !== undefined && { revoked_at: Math.floor(revokedAt / 1000) }),
    ...(managedBy !== undefined && { managed_by: managedBy }),
  };
}
