/**
 * What collect_worker_assets.ts writes and wrangler.toml's alias names: the watch page's files as data.
 */
declare module 'headwater:watch-assets' {
  /** Name, content type, bytes. */
  const assets: readonly (readonly [string, string, ArrayBuffer])[];
  export default assets;
}
