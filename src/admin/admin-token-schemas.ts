import Type from 'typebox';
import { adminScopes } from '../domain/admin-access.ts';
import { pattern } from './patterns.ts';
import { listOf, oneOf, text } from './schema-parts.ts';

const seconds = (description: string) => Type.Integer({ minimum: 1, description });
const expiry = Type.Optional(seconds('Good until then, in seconds since the epoch.'));
/** A token that is to be made. */
export const adminTokenBody = Type.Object(
  {
    name: text({
      pattern: pattern('adminTokenName'),
      maxLength: 64,
      description: 'Names the admin in the audit trail.',
    }),
    scopes: listOf(oneOf(adminScopes), { minItems: 1 }),
    expires_at: expiry,
  },
  { $id: 'AdminTokenBody', additionalProperties: false },
);
/** A rotation. */
export const rotationBody = Type.Object(
  {
    previous_expires_in: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 604_800,
        description: 'Seconds for which the token before counts as well; an hour unless given.',
      }),
    ),
    expires_at: expiry,
  },
  { $id: 'AdminTokenRotation', additionalProperties: false },
);
const members = {
  id: Type.String(),
  name: Type.String(),
  scopes: listOf(oneOf(adminScopes)),
  created_at: Type.Integer({ description: 'Seconds since the epoch.' }),
  created_by: Type.String({ description: 'The admin who made it: `NAME#ID`.' }),
  expires_at: Type.Optional(Type.Integer()),
  last_used_at: Type.Optional(
    Type.Integer({ description: 'Seconds since the epoch, up to a minute too early.' }),
  ),
  previous_expires_at: Type.Optional(
    Type.Integer({ description: 'Until when the token before the last rotation counts.' }),
  ),
};
/** A token as it is listed. */
export const adminTokenAnswer = Type.Object(members, { $id: 'AdminToken' });
/** A token as its maker sees it. */
export const madeTokenAnswer = Type.Object(
  { ...members, token: Type.String({ description: 'In this answer, and never again.' }) },
  { $id: 'MadeAdminToken' },
);
/** The schemas of admin tokens that the OpenAPI document names. */
export const adminTokenSchemas = [adminTokenBody, rotationBody, adminTokenAnswer, madeTokenAnswer];
