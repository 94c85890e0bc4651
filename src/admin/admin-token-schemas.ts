import Type from 'typebox';
import { adminScopes } from '../domain/admin-access.ts';
import { pattern } from './patterns.ts';
import { answerBody, listOf, oneOf, requestBody, text } from './schema-parts.ts';

const seconds = (description: string) => Type.Integer({ minimum: 1, description });
const expiry = Type.Optional(seconds('Good until then, in seconds since the epoch.'));
/** Body of a request for a new token. */
export const adminTokenBody = requestBody('AdminTokenBody', {
  name: text({
    pattern: pattern('adminTokenName'),
    maxLength: 64,
    description: 'Names the admin in the audit trail.',
  }),
  scopes: listOf(oneOf(adminScopes), { minItems: 1 }),
  expires_at: expiry,
});
/** Body of a rotation. */
export const rotationBody = requestBody('AdminTokenRotation', {
  previous_expires_in: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 604_800,
      description:
        'Seconds for which the previous token stays valid; an hour by default. 0 ends ' +
        'every earlier one.',
    }),
  ),
  keep_previous: Type.Optional(
    Type.Boolean({
      description:
        'True: the token from the last rotation was lost. It is refused, and the one ' +
        'before it stays valid.',
    }),
  ),
  expires_at: expiry,
});
const members = {
  id: Type.String(),
  name: Type.String(),
  scopes: listOf(oneOf(adminScopes)),
  created_at: Type.Integer({ description: 'Seconds since the epoch.' }),
  created_by: Type.String({ description: 'The admin who created it: `NAME#ID`.' }),
  expires_at: Type.Optional(Type.Integer()),
  last_used_at: Type.Optional(
    Type.Integer({ description: 'Seconds since the epoch, at most a minute behind.' }),
  ),
  previous_expires_at: Type.Optional(
    Type.Integer({ description: 'When the token before the last rotation stops being valid.' }),
  ),
};
/** A token as it is listed. */
export const adminTokenAnswer = answerBody('AdminToken', members);
/** A token as shown once to its creator. */
export const madeTokenAnswer = answerBody('MadeAdminToken', {
  ...members,
  token: Type.String({ description: 'Shown in this response only.' }),
});
/** The schemas of admin tokens that the OpenAPI document names. */
export const adminTokenSchemas = [adminTokenBody, rotationBody, adminTokenAnswer, madeTokenAnswer];
