/* The page's behaviour: ask for the account's realm, then go to its sign-in or show the password. */
(function () {
  "use strict";
  var config = window.$Config;
  function by(id) { return document.getElementById(id); }
  function showPassword(username) {
    by("i0116").value = username;
    by("login").value = username;
    by("passwordArea").hidden = false;
    by("idSIButton9").value = "Sign in";
    by("i0118").focus();
  }
  function fill() {
    by("ctx").value = config.sCtx;
    by("flowToken").value = config.sFT;
    by("canary").value = config.canary;
    by("i0281").action = config.urlPost;
  }
  function discover(username) {
    var question = {
      username: username,
      isOtherIdpSupported: true,
      checkPhones: false,
      isRemoteNGCSupported: true,
      isCookieBannerShown: false,
      isFidoSupported: true,
      isAccessPassSupported: true,
      originalRequest: config.sCtx,
      flowToken: config.sFT,
      country: "SG",
      forceotclogin: false,
      isExternalFederationDisallowed: false,
      federationFlags: 0
    };
    var headers = {
      "Content-Type": "application/json; charset=UTF-8",
      "canary": config.apiCanary,
      "client-request-id": config.correlationId,
      "hpgid": String(config.hpgid)
    };
    fetch(config.urlGetCredentialType, {
      method: "POST", headers: headers, credentials: "same-origin", body: JSON.stringify(question)
    }).then(function (answer) { return answer.json(); }).then(function (found) {
      config.sFT = found.FlowToken || config.sFT;
      var credentials = found.Credentials || {};
      if (credentials.FederationRedirectUrl) {
        window.location.assign(credentials.FederationRedirectUrl);
      } else if (found.IfExistsResult === 0) {
        fill();
        showPassword(username);
      } else {
        by("usernameError").textContent =
          "This username may be incorrect. Make sure that you typed it correctly.";
      }
    });
  }
  by("i0281").addEventListener("submit", function (event) {
    if (by("passwordArea").hidden) {
      event.preventDefault();
      discover(by("i0116").value);
    }
  });
  fill();
  if (config.sErrorCode) {
    showPassword(config.sPOST_Username);
    by("passwordError").textContent = config.sErrTxt;
  } else if (config.sPOST_Username) {
    discover(config.sPOST_Username);
  }
})();
