/** The light build has the full build's types, less what it leaves out (subtitles, alternate audio, DRM). */
declare module "hls.js/light" {
  import Hls from "hls.js";
  export * from "hls.js";
  export default Hls;
}
