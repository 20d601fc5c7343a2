// The dashboard begins here.

import { render } from "preact";
import { App } from "./app";
import { followVisibility } from "./live/services";
import { followSystem } from "./view/theme";
import "./style/tokens.css";
import "./style/frame.css";
import "./style/parts.css";
import "./style/version.css";
import "./style/figures.css";
import "./style/rows.css";

followSystem();
followVisibility();
const root = document.getElementById("root");
if (root) render(<App />, root);
