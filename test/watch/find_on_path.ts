/**
 * Finds a program as a shell would, so that tests name no machine's folders.
 */
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/**
 * @param names the first of them that is on PATH wins
 * @throws Error naming all of them when none is
 */
export async function findOnPath(names: readonly string[]): Promise<string> {
  for (const name of names) {
    for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
      const path = join(folder, name);
      const runs = await access(path, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (runs) return path;
    }
  }
  throw new Error(`none of ${names.join(', ')} is on PATH`);
}
