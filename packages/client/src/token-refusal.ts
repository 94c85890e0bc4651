import { HolderError } from './holder-error.ts';

/** Characters of an error code and a description (RFC 6749 §5.2) that are accepted. */
const printable = /^[\x20-\x7e]{1,500}$/;

/**
 * Why the token endpoint issued no token (RFC 6749 §5.2), if it said so. Reads the whole response.
 */
export async function refusal(response: Response): Promise<HolderError> {
  const { error, error_description } = await membersOf(response);
  const code = printed(error);
  const description = printed(error_description);
  const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN);
  const why = [code, description].filter((part) => part !== undefined).join(': ');
  return new HolderError(
    'token_refused',
    `the authorization server answered ${response.status}${why === '' ? '' : ` ${why}`}`,
    {
      status: response.status,
      ...(code !== undefined && { error: code }),
      ...(description !== undefined && { errorDescription: description }),
      ...(Number.isFinite(retryAfter) && { retryAfter }),
    },
  );
}

async function membersOf(response: Response): Promise<Readonly<Record<string, unknown>>> {
  try {
    const body: unknown = await response.json();
    return typeof body === 'object' && body !== null ? { ...body } : {};
  } catch {
    return {};
  }
}

function printed(value: unknown): string | undefined {
  return typeof value === 'string' && printable.test(value) ? value : undefined;
}
