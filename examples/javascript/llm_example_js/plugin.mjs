// A plugin for Cellwall in plain JavaScript: Node 18 or newer, no packages.
//
//   wire.mjs    the protocol: lines, calls, credit; knows nothing of models. Copy it as it is.
//   models.mjs  the models: what to change.

import { MODELS } from "./models.mjs";
import { serve } from "./wire.mjs";

serve({ name: "example-js", version: "0.1.0", models: MODELS });
