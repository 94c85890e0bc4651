import Type from 'typebox';
import { lastUsed } from './credentials.ts';
import { answerBody, requestBody } from './schema-parts.ts';
import { clientSecret } from './schemas.ts';

const seconds = Type.Integer({
  minimum: 1,
  maximum: 253_402_300_799,
  description: 'Expiry in seconds since the epoch.',
});
export const secretBody = requestBody('SecretBody', {
  client_secret: Type.Optional(clientSecret),
  expires_at: Type.Optional(seconds),
});
export const secretPatch = requestBody('SecretPatch', {
  expires_at: Type.Optional(
    Type.Unsafe<number | null>({
      ...seconds,
      type: ['integer', 'null'],
      description: 'Null: it does not expire.',
    }),
  ),
});
export const secretAnswer = answerBody('Secret', {
  id: Type.String(),
  created_at: Type.Integer({ description: 'Seconds since the epoch.' }),
  expires_at: Type.Optional(seconds),
});
export const madeSecretAnswer = answerBody('MadeSecret', {
  ...secretAnswer.properties,
  client_secret: Type.String({ description: 'Shown in this response only.' }),
});
export const listedSecret = answerBody('ListedSecret', { ...secretAnswer.properties, ...lastUsed });
export const secretSchemas = [
  secretBody,
  secretPatch,
  secretAnswer,
  madeSecretAnswer,
  listedSecret,
];
