/**
 * What stands at the head of a spilled file: enough for a later run of the program to upload it and to index it.
 */
import * as z from 'zod/mini';
import { indexEntrySchema } from '../../contracts/recording.ts';
import { epochSchema, sessionIdSchema, streamIdSchema } from '../../contracts/schema.ts';
import { renditionNameSchema } from '../../contracts/stream_shape.ts';

const ofSession = { streamId: streamIdSchema, sessionId: sessionIdSchema };
const ofRendition = { ...ofSession, epoch: epochSchema, rendition: renditionNameSchema };

export const spillOriginSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('segment'), ...ofRendition, entry: indexEntrySchema }),
  z.strictObject({ kind: z.literal('init'), ...ofRendition }),
  /** session.json, epoch.json, the open marker. */
  z.strictObject({ kind: z.literal('description'), ...ofSession }),
]);
export type SpillOrigin = z.infer<typeof spillOriginSchema>;

export const spillRecordSchema = z.strictObject({
  v: z.literal(1),
  key: z.string(),
  sha256: z.string(),
  size: z.int(),
  options: z.strictObject({
    contentType: z.string(),
    cacheControl: z.string(),
    onlyIfAbsent: z.optional(z.boolean()),
    keepDays: z.optional(z.number()),
  }),
  origin: spillOriginSchema,
});
/** The first line of a spilled file, as JSON; the object's bytes follow it. */
export type SpillRecord = z.infer<typeof spillRecordSchema>;
