//! 한국어.

use super::message::Words;
use crate::state::{Alarm, DenyAdvice, Fault, UiState, View};
use arcdoor_core::RetryReason;

pub(super) fn words(state: &UiState) -> Words {
    match state {
        UiState::Idle => Words::with("안녕하세요", "카메라를 봐 주세요"),
        UiState::Approach(reason) => hint(*reason),
        UiState::Granted => Words::alone("들어오세요"),
        UiState::Denied(DenyAdvice::TryAgain) => Words::with("다시 해 주세요", "카메라를 똑바로 봐 주세요"),
        UiState::Denied(DenyAdvice::Wait) => Words::with("기다려 주세요", "잠시 후 다시 해 주세요"),
        UiState::Enrolment { view, hint: reason, .. } => Words::hinted(looking(*view), reason.map(hint)),
        UiState::Pin { .. } => Words::alone("비밀번호"),
        UiState::Alarm(Alarm::Forced) => Words::with("경보", "문이 강제로 열렸습니다"),
        UiState::Alarm(Alarm::HeldOpenWarning) => Words::with("문을 닫아 주세요", "너무 오래 열려 있습니다"),
        UiState::Alarm(Alarm::HeldOpen) => Words::with("경보", "문을 닫아 주세요"),
        UiState::Alarm(Alarm::Tamper) => Words::with("경보", "기기가 열렸습니다"),
        UiState::Alarm(Alarm::FireRelease) => Words::with("화재 경보", "문이 열렸습니다. 대피하세요"),
        UiState::Alarm(Alarm::Lockdown) => Words::with("출입 통제", "나가는 것은 가능합니다"),
        UiState::Fault(fault) => Words::with("사용할 수 없음", cause(*fault)),
        UiState::Update(_) => Words::with("업데이트 중", "전원을 끄지 마세요"),
    }
}

const fn hint(reason: RetryReason) -> Words {
    match reason {
        RetryReason::NoFace => Words::with("여기를 봐 주세요", "카메라 앞에 서 주세요"),
        RetryReason::SeveralFaces => Words::alone("한 분씩 서 주세요"),
        RetryReason::FaceCutOff => Words::alone("가운데로 오세요"),
        RetryReason::TooFar => Words::alone("더 가까이 오세요"),
        RetryReason::TurnToCamera => Words::alone("정면을 봐 주세요"),
        RetryReason::TooDark => Words::with("너무 어두워요", "밝은 곳으로 오세요"),
        RetryReason::TooBright => Words::with("너무 밝아요", "빛을 피해 주세요"),
        RetryReason::LightFromBehind => Words::with("뒤가 너무 밝아요", "얼굴에 빛이 오게 서 주세요"),
        RetryReason::HoldStill => Words::alone("움직이지 마세요"),
        RetryReason::HoldUpright => Words::alone("고개를 바로 하세요"),
        RetryReason::Covered => Words::with("얼굴을 보여 주세요", "마스크, 안경, 모자를 벗어 주세요"),
        RetryReason::NotClear => Words::with("얼굴이 흐려요", "밝은 곳에서 여기를 봐 주세요"),
        RetryReason::SomebodyElse => Words::with("다른 분인가요?", "등록은 한 분씩 합니다"),
        RetryReason::ShowIntent => Words::with("더 가까이 오세요", "카메라를 봐 주세요"),
        RetryReason::SameView => Words::alone("고개를 조금 돌리세요"),
        RetryReason::SamePhoto => Words::with("같은 사진입니다", "다른 사진을 주세요"),
        RetryReason::Looking => Words::with("잠시만요", "계속 봐 주세요"),
    }
}

const fn looking(view: View) -> &'static str {
    match view {
        View::Frontal => "정면을 보세요",
        View::Left => "왼쪽으로 돌리세요",
        View::Right => "오른쪽으로 돌리세요",
        View::Up => "위를 보세요",
        View::Down => "아래를 보세요",
    }
}

const fn cause(fault: Fault) -> &'static str {
    match fault {
        Fault::Camera => "카메라가 없습니다",
        Fault::Pack => "인식 모델이 없습니다",
        Fault::Gallery => "등록 정보를 읽을 수 없습니다",
        Fault::Key => "암호 키가 없습니다",
        Fault::Lock => "잠금장치가 응답하지 않습니다",
        Fault::Storage => "저장 공간이 없습니다",
        Fault::Clock => "시계가 맞지 않습니다",
        Fault::Stopped => "지금은 사용할 수 없습니다",
    }
}
