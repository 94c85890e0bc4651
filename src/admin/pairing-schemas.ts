import Type from 'typebox';
import { defined } from '../domain/defined.ts';
import { type NewPairing, pairingModes } from '../domain/pairing.ts';
import { pattern } from './patterns.ts';
import { answerBody, managedBy as managedByMember, oneOf, requestBody } from './schema-parts.ts';

export const clientId = Type.String({ pattern: pattern('printable'), maxLength: 255 });
export const pairingBody = requestBody('PairingBody', {
  requester: clientId,
  holder: clientId,
  mode: Type.Optional(oneOf(pairingModes)),
  first_party: Type.Optional(Type.Boolean()),
  scope: Type.Optional(Type.String({ pattern: pattern('scope'), maxLength: 4000 })),
  resources: Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: 512 }), {
      minItems: 1,
      maxItems: 100,
      uniqueItems: true,
    }),
  ),
});
export type PairingBody = Type.Static<typeof pairingBody>;
export const pairingAnswer = answerBody('Pairing', {
  ...pairingBody.properties,
  id: Type.String(),
  mode: oneOf(pairingModes),
  first_party: Type.Boolean(),
  revoked: Type.Boolean(),
  created_at: Type.Integer({ description: 'Seconds since the epoch.' }),
  revoked_at: Type.Optional(Type.Integer({ description: 'Seconds since the epoch.' })),
  managed_by: managedByMember,
});
export const pairingSchemas = [pairingBody, pairingAnswer];

/** The terms of a pairing, as in a body. */
export function terms(pairing: NewPairing): object {
  const { requester, holder, mode, first_party, scope, resources } = pairing;
  return { requester, holder, mode, first_party, ...defined({ scope, resources }) };
}

/** A pairing as responses show it. */
export function show(pairing: NewPairing): object {
  const { id, createdAt, revokedAt, managedBy: managed_by } = pairing;
  return {
    id,
    ...terms(pairing),
    revoked: revokedAt !== undefined,
    created_at: Math.floor(createdAt / 1000),
    ...(revokedAt !== undefined && { revoked_at: Math.floor(revokedAt / 1000) }),
    ...defined({ managed_by }),
  };
}
