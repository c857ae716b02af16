//! A pack that is not what its maker wrote is refused whole, and nobody is recognised with it.

use std::fs;

use arcdoor::message::Pictures;
use arcdoor::service::Options;
use arcdoor::{Home, Request, Service};
use arcdoor_tests::Real;

#[test]
fn a_changed_byte_in_either_network_is_refused_by_name() {
    let Some(real) = Real::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    for file in ["yunet.onnx", "sface.onnx"] {
        let pack = folder.path().join(file).with_extension("pack");
        fs::create_dir(&pack).unwrap();
        for entry in fs::read_dir(&real.pack).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, pack.join(path.file_name().unwrap())).unwrap();
        }
        let mut bytes = fs::read(pack.join(file)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(pack.join(file), bytes).unwrap();
        let options = Options {
            pack: Some(pack.display().to_string()),
            detector: None,
            engine: None,
            allow_unsigned_pack: true,
        };
        let home = Home::resolve(Some(folder.path().join("home"))).unwrap();
        let mut service = Service::open(home, options).unwrap();
        let from = Pictures::Images(vec![real.photo("obama.jpg")]);
        let mut answers = 0;
        let outcome = service.handle(&Request::Identify { from, annotate: None }, &mut |_| {
            answers += 1;
            Ok(())
        });
        let error = outcome.unwrap_err();
        assert!(error.to_string().contains(file), "{error}");
        assert_eq!((error.code(), answers), (4, 0));
    }
}
