import Type from 'typebox';
import { lastUsed } from './credentials.ts';
import { clientSecret } from './schemas.ts';

const seconds = Type.Integer({
  minimum: 1,
  maximum: 253_402_300_799,
  description: 'Seconds since the epoch; good until then.',
});
export const secretBody = Type.Object(
  { client_secret: Type.Optional(clientSecret), expires_at: Type.Optional(seconds) },
  { $id: 'SecretBody', additionalProperties: false },
);
export const secretPatch = Type.Object(
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
export const secretAnswer = Type.Object(
  {
    id: Type.String(),
    created_at: Type.Integer({ description: 'Seconds since the epoch.' }),
    expires_at: Type.Optional(seconds),
  },
  { $id: 'Secret' },
);
export const madeSecretAnswer = Type.Object(
  {
    ...secretAnswer.properties,
    client_secret: Type.String({ description: 'In this answer, and never again.' }),
  },
  { $id: 'MadeSecret' },
);
export const listedSecret = Type.Object(
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
