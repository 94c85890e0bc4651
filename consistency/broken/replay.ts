import { registerHooks } from 'node:module';

// Imported before a replica, it puts a broken store in the place of the replay records: the checker must notice.
const broken = process.env['BROKEN_REPLAY'] ?? '';
registerHooks({
  resolve: (specifier, context, next) =>
    next(
      specifier.endsWith('/redis-replay.ts')
        ? new URL(`./${broken}.ts`, import.meta.url).href
        : specifier,
      context,
    ),
});
